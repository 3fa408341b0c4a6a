import { HEADER } from '@aura/contracts';
import { postgresLog, type EventLog } from '@aura/event-log';
import { ConflictError } from '@aura/platform';
import { seeded, settled } from '@aura/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { entryRow, OutboxKit, TOPIC, withAppend } from '../../test/outbox-kit.js';
import { OutboxRelay } from './relay-operations.js';
import type { Relay, RelayOptions } from './relay.js';

const BY = { reason: 'the broker takes larger records now', by: 'anna', dryRun: false };
const never = (): Promise<never> => Promise.reject(new Error('nothing is replayed here'));
const LARGE = 'x'.repeat(4_000);

let kit: OutboxKit;
let small: EventLog;
let operations: OutboxRelay;
beforeEach(async () => {
  kit = await OutboxKit.make('resuming');
  small = postgresLog({ url: kit.database.url, maxRecordBytes: 2_000 });
  operations = new OutboxRelay({ pool: kit.pool, replay: { count: never, start: never } });
});
afterEach(async () => {
  await small.close();
  await kit.drop();
});

/** Looks for requests at every round. */
const relay = (log: EventLog, limits: RelayOptions['limits'] = {}): Relay =>
  kit.relay({ log, limits: { heartbeatMs: 1, ...limits } });
const keys = async (): Promise<string[]> => (await operations.parkedKeys(10)).map(({ key }) => key);

/** Positions of a key in the topic, in order, repeats left out. */
async function firstOf(key: string): Promise<number[]> {
  const records = (await kit.published()).filter((record) => record.key === key);
  return [...new Set(records.map(({ headers }) => Number(headers[HEADER.sequence])))];
}

/** anna is parked at her first record, ben flows. */
async function park(): Promise<void> {
  await kit.raise(entryRow('anna', 1, LARGE), entryRow('ben', 1), entryRow('anna', 2), entryRow('ben', 2));
  const one = relay(small);
  await one.runOnce();
  await kit.raise(entryRow('anna', 3), entryRow('ben', 3));
  await one.runOnce();
  await one.stop();
}

describe('keys that the relay has parked', () => {
  it('H30: an oversized record parks its key only, and says how much waits behind it', async () => {
    await park();
    expect(await firstOf('ben')).toEqual([2, 4, 6]);
    expect(await firstOf('anna')).toEqual([]);
    expect(await operations.parkedKeys(10)).toEqual([
      {
        topic: TOPIC,
        key: 'anna',
        position: 1n,
        error: expect.objectContaining({ name: 'RecordRefusedError' }),
        since: expect.any(Date),
        waiting: 3,
      },
    ]);
  });

  it('H31: goes on in order when an operator resumes it, its new events behind the old ones', async () => {
    await park();
    expect(await operations.resumeKey(TOPIC, 'anna', { ...BY, dryRun: true })).toEqual({ records: 3 });
    const leader = relay(kit.log);
    await leader.runOnce();
    expect(await firstOf('anna')).toEqual([]);
    await operations.resumeKey(TOPIC, 'anna', BY);
    await kit.raise(entryRow('anna', 4)); // arrives in the middle of it
    await leader.runOnce();
    await kit.raise(entryRow('anna', 5));
    await leader.runOnce();
    await leader.runOnce();
    expect(await firstOf('anna')).toEqual([1, 3, 5, 7, 8]);
    expect(await keys()).toEqual([]);
    expect(leader.status()).toMatchObject({ parkedKeys: 0, lagRows: 0 });
    expect(await kit.cursor()).toEqual({ position: 8n, gaps: [], pending: [] });
    const { rows } = await kit.pool.query('select what, subject, reason, by from aura.operation');
    expect(rows).toEqual([
      { what: 'relay resume', subject: { topic: TOPIC, key: 'anna' }, reason: BY.reason, by: BY.by },
    ]);
  });

  it('H31: step by step where much waits, and what is raised meanwhile stays behind it', async () => {
    await park();
    for (let n = 0; n < 30; n++) await kit.raise(entryRow('anna', n), entryRow(`other${n}`, n));
    const leader = relay(kit.log, { gaps: 20 }); // steps of five rows
    await leader.runOnce();
    await operations.resumeKey(TOPIC, 'anna', BY);
    for (let n = 0; n < 12; n++) {
      await kit.raise(entryRow('anna', 100 + n));
      await leader.runOnce();
    }
    await settled('the key is free', async () => {
      await leader.runOnce();
      return (await keys()).length === 0;
    });
    await leader.runOnce();
    const found = await firstOf('anna');
    expect(found).toHaveLength(3 + 30 + 12);
    expect(found).toEqual(found.toSorted((a, b) => a - b));
  });

  it('H31: stands again where it is refused again, and can be resumed again', async () => {
    await park();
    await operations.resumeKey(TOPIC, 'anna', BY);
    const refusing = relay(small);
    await refusing.runOnce();
    await refusing.runOnce();
    expect(await firstOf('anna')).toEqual([]);
    const [again] = await operations.parkedKeys(10);
    expect(again).toMatchObject({ key: 'anna', position: 1n, waiting: 3 });
    await refusing.stop();
    await operations.resumeKey(TOPIC, 'anna', BY);
    await relay(kit.log).runOnce();
    expect(await firstOf('anna')).toEqual([1, 3, 5]);
  });

  it('H31: refuses to resume what is not parked', async () => {
    await expect(operations.resumeKey(TOPIC, 'nobody', BY)).rejects.toThrow(ConflictError);
  });

  it('H31, E8: a leader that dies at any statement of it loses nothing and inverts nothing', async () => {
    const random = seeded('resuming');
    await park();
    const kill = async (): Promise<void> => {
      await kit.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'aura relay'`,
      );
    };
    const dying = withAppend(kit.log, async (records) => {
      if (random.chance(0.3)) await kill();
      const result = await kit.log.append(records);
      if (random.chance(0.3)) await kill();
      return result;
    });
    await operations.resumeKey(TOPIC, 'anna', BY);
    const leaders = [relay(dying, { gaps: 20 }), relay(dying, { gaps: 20 })];
    for (let n = 0; n < 40; n++) {
      await kit.raise(entryRow('anna', 10 + n), entryRow('ben', 10 + n));
      if (random.chance(0.2)) void kill();
      for (const leader of leaders) await leader.runOnce().catch(() => undefined);
    }
    const last = relay(kit.log);
    await Promise.all(leaders.map((leader) => leader.stop()));
    await settled('all is published', async () => {
      await last.runOnce();
      return (await keys()).length === 0 && last.status().lagRows === 0;
    });
    for (const key of ['anna', 'ben']) {
      const found = await firstOf(key);
      expect(found).toHaveLength(43);
      expect(found).toEqual(found.toSorted((a, b) => a - b));
    }
  });
});
