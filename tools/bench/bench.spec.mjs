import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { median, percentile, rowOf, Tally } from './figures.mjs';
import { makeDatabase } from './ground.mjs';
import { closedLoad } from './load.mjs';
import { spansIn } from './otlp-sink.mjs';
import { notRunRow } from './peers.mjs';
import { FakeBroker, peerLoop } from './relay.mjs';
import { printed, verdict } from './report.mjs';

const BENCH = fileURLToPath(new URL('bench.mjs', import.meta.url));
const bench = (...args) => spawnSync(process.execPath, [BENCH, ...args], { encoding: 'utf8' });

describe('npm run bench', () => {
  it.each([
    [['fly'], 'Give one of relay, consume, hop, idle, codec, sagas, sagas-curve, sagas-sampling.'],
    [[], 'Give one of relay, consume, hop, idle, codec, sagas, sagas-curve, sagas-sampling.'],
    [['relay', 'hop'], 'Give one of relay, consume, hop, idle, codec, sagas, sagas-curve, sagas-sampling.'],
    [['relay', '--log', 'paper'], 'There is no log paper.'],
    [['codec', '--log', 'kafka'], 'codec needs no log.'],
    [['hop', '--runs', '0'], "There can't be 0 runs: 1 to 99."],
    [['hop', '--speed', '9'], "Unknown option '--speed'."],
    [['hop', '--c', '9'], '--c is for sagas and sagas-curve and sagas-sampling.'],
    [['sagas', '--c', '0'], '--c is numbers from 1 to 4096, not 0.'],
    [['sagas-curve', '--c', '1,2'], '--c is one number for sagas-curve, not 1,2.'],
    [['sagas', '--case', 'some'], '--case is noop, purchase or all, not some.'],
    [['sagas', '--fail', '2'], '--fail is a part, 0 to 1, not 2.'],
    [['sagas', '--peers', '--no-peers'], 'Give --peers or --no-peers, not both.'],
    [['sagas-curve', '--to', '10'], '--to is 1000 or more sagas, not 10.'],
    [['sagas-curve', '--runs', '2'], 'sagas-curve has no runs: it goes one way.'],
    [['sagas-sampling', '--trace-ratio', '0.1,2'], '--trace-ratio is off, or a part from 0 to 1, not 0.1,2.'],
    [['sagas-sampling', '--trace-ratio', 'off'], '--trace-ratio is two or more, each once, not off.'],
  ])('refuses %j with words', (args, words) => {
    const { status, stderr, stdout } = bench(...args);
    expect(stderr).toContain(`✖ ${words}`);
    expect(stderr).toContain('usage: npm run bench');
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});

/** A field of a protobuf message: a message or a text. */
const field = (number, body) => Buffer.concat([Buffer.from([number * 8 + 2, body.length]), body]);

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

  it('of what was not run are none, and a note says why', () => {
    const machine = { cpus: 2 };
    const rows = [notRunRow({ system: 'dbos', case: '3 steps', concurrency: 8 }, 'no network')];
    const result = { bench: 'sagas', log: 'postgres', machine, rows };
    expect(rows).toMatchObject([{ perSecond: null, p50Ms: null, failed: 0 }]);
    expect(printed(result, false)).toMatch(/dbos +3 steps +8 +0 +not run: no network/);
    expect(verdict(result)).toEqual([]);
  });

  it('name the answer that should have been another', () => {
    const run = { perSecond: 1, stepsMs: [1], failed: 2 };
    const name = { system: 'aura', case: 'the purchase', concurrency: 8 };
    const rows = [rowOf(name, [run], { unexpected: '503: away' })];
    expect(verdict({ bench: 'sagas', rows })).toEqual([
      'aura, the purchase: 2 sagas ended otherwise than they should (503: away)',
    ]);
  });

  it('of a closed load are of its calls: so many at once, and so many in all', async () => {
    let [most, now] = [0, 0];
    const called = [];
    const call = async (n) => {
      called.push(n);
      most = Math.max(most, ++now);
      await new Promise(setImmediate);
      now--;
      return n !== 3;
    };
    const { stepsMs, failed, perSecond } = await closedLoad(call, { concurrency: 4, total: 10 });
    expect({ most, steps: stepsMs.length, failed }).toEqual({ most: 4, steps: 9, failed: 1 });
    expect(called).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(perSecond).toBeGreaterThan(0);
  });

  it('of traces are their spans', () => {
    const span = field(2, field(5, Buffer.from('buy')));
    const scope = field(2, Buffer.concat([field(1, Buffer.from('bench')), span, span]));
    const message = Buffer.concat([field(1, scope), field(1, Buffer.concat([scope, scope]))]);
    expect(spansIn(message)).toBe(6);
    expect(() => spansIn(message.subarray(0, -1))).toThrow('the message is cut off');
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
    const rows = [rowOf({ system: 'peer', case: 'row-by-row', concurrency: 1 }, [run])];
    return verdict({ bench: 'relay', rows });
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
