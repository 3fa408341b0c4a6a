import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { median, percentile, rowOf, Tally } from './figures.mjs';
import { makeDatabase } from './ground.mjs';
import { FakeBroker, peerLoop } from './relay.mjs';
import { printed, verdict } from './report.mjs';

const BENCH = fileURLToPath(new URL('bench.mjs', import.meta.url));
const bench = (...args) => spawnSync(process.execPath, [BENCH, ...args], { encoding: 'utf8' });

describe('npm run bench', () => {
  it.each([
    [['fly'], 'Give one of relay, consume, hop, idle, codec, sagas.'],
    [[], 'Give one of relay, consume, hop, idle, codec, sagas.'],
    [['relay', 'hop'], 'Give one of relay, consume, hop, idle, codec, sagas.'],
    [['relay', '--log', 'paper'], 'There is no log paper.'],
    [['codec', '--log', 'kafka'], 'codec needs no log.'],
    [['hop', '--runs', '0'], "There can't be 0 runs: 1 to 99."],
    [['hop', '--speed', '9'], "Unknown option '--speed'."],
  ])('refuses %j with words', (args, words) => {
    const { status, stderr, stdout } = bench(...args);
    expect(stderr).toContain(`✖ ${words}`);
    expect(stderr).toContain('usage: npm run bench');
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});

describe('figures', () => {
  it('are medians with their spread', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(percentile([5, 1, 2, 3, 4], 0.5)).toBe(3);
    expect(percentile([], 0.5)).toBe(null);
    const runs = [10, 30, 20].map((perSecond) => ({ perSecond, stepsMs: [1, 2], failed: 0 }));
    expect(rowOf({ system: 'aura', case: 'c', concurrency: 1 }, runs)).toEqual({
      system: 'aura',
      case: 'c',
      concurrency: 1,
      perSecond: 20,
      perSecondMin: 10,
      perSecondMax: 30,
      p50Ms: 1,
      p50MsMin: 1,
      p50MsMax: 1,
      p99Ms: 2,
      p99MsMin: 2,
      p99MsMax: 2,
      failed: 0,
    });
  });

  it('are one line of JSON, or a table', () => {
    const runs = [{ perSecond: 12_345.6, stepsMs: [], failed: 0 }];
    const result = {
      bench: 'relay',
      log: 'kafka',
      machine: { cpus: 2 },
      rows: [rowOf({ system: 'aura', case: 'fresh', concurrency: 1 }, runs)],
    };
    const line = printed(result, true);
    expect(line).not.toContain('\n');
    expect(Object.keys(JSON.parse(line))).toEqual(['bench', 'log', 'machine', 'rows']);
    expect(JSON.parse(line)).toEqual(result);
    expect(printed(result, false)).toContain('relay over kafka: cpus 2');
    expect(printed(result, false)).toMatch(/aura +fresh +12,350/);
  });

  it('count what was lost and what came twice', () => {
    const tally = new Tally(4);
    for (const serial of [0, 1, 1, 3, 9, NaN]) tally.see(serial);
    expect(tally.failed).toBe(4); // 1 twice, 2 never, and two that nobody wrote
  });
});

describe('a system that loses an event', () => {
  let database;
  let pool;
  beforeAll(async () => {
    database = await makeDatabase(process.env['AURA_TEST_PG_URL']);
    pool = new Pool({ connectionString: database.url });
  });
  afterAll(async () => {
    await pool.end();
    await database.drop();
  });

  const verdictOn = async (broker) => {
    const run = await peerLoop(pool, 20, broker);
    return verdict([rowOf({ system: 'peer', case: 'row-by-row', concurrency: 1 }, [run])]);
  };

  it('fails its bench, by name', async () => {
    const losing = new (class extends FakeBroker {
      async publish(serial) {
        if (serial !== 7) await super.publish(serial);
      }
    })();
    const doubling = new (class extends FakeBroker {
      async publish(serial) {
        await super.publish(serial);
        if (serial === 7) await super.publish(serial);
      }
    })();
    expect(await verdictOn(losing)).toEqual(['peer, row-by-row: 1 events were lost or doubled']);
    expect(await verdictOn(doubling)).toEqual(['peer, row-by-row: 1 events were lost or doubled']);
    expect(await verdictOn(new FakeBroker())).toEqual([]);
  });
});
