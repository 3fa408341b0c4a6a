import { HEADER } from '@aura/contracts';
import { settled } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { losingPostgres, type LosingLog } from '../../test/losing-log.js';
import { entryRow, OutboxKit } from '../../test/outbox-kit.js';
import { copyRows, secondCluster, type SecondCluster } from '../../test/second-cluster.js';
import { insertOutboxRows } from '../outbox/outbox.js';
import { OutboxRelay } from '../outbox/relay-operations.js';
import type { Relay } from '../outbox/relay.js';

const LIMITS = { recheckMs: 0, backoff: { initialMs: 1, maxMs: 10 } };

let cluster: SecondCluster;
let losing: LosingLog;
let old: OutboxKit;
let moved: OutboxKit;
beforeAll(async () => {
  cluster = await secondCluster();
});
afterAll(() => cluster.stop());
beforeEach(async () => {
  losing = await losingPostgres();
  old = await OutboxKit.make('old', losing.log, losing.topic);
  moved = await cluster.here(() => OutboxKit.make('moved', losing.log, losing.topic));
});
afterEach(async () => {
  await old.drop();
  await moved.drop();
  await losing.drop();
});

const never = (): Promise<never> => Promise.reject(new Error('nothing is replayed here'));
const raise = (kit: OutboxKit, key: string): Promise<void> => kit.raise(entryRow(key, 1, '', losing.topic));
const relay = (kit: OutboxKit): Relay => kit.relay({ limits: LIMITS });
const inTopic = async (): Promise<string[]> =>
  (await old.published()).map(({ key, headers }) => `${key}:${headers[HEADER.sequence]}`).toSorted();

/** Four positions, of which the second is a gap while its transaction is under way; then moved. */
async function move(): Promise<void> {
  const slow = await old.database.client();
  await raise(old, 'a');
  await slow.query('begin');
  await insertOutboxRows(slow, [entryRow('never', 1, '', losing.topic)]);
  await raise(old, 'b');
  await raise(old, 'c');
  const first = relay(old);
  await first.runOnce();
  await first.stop();
  expect((await old.cursor()).gaps).toEqual([['2', '2', expect.any(String)]]);
  await copyRows(old.database.url, moved.database.url);
}

it('H51: an outbox in another cluster goes on, and its gaps are judged by that cluster', async () => {
  await move();
  await moved.pool.query(`select setval(pg_get_serial_sequence('aura.outbox', 'position'), 4)`);
  // Transaction ids of before mean nothing here: the saved one may be higher than this cluster ever gets.
  await moved.pool.query(`update aura.relay_cursor set gaps = '[["2", "2", "9000000000000"]]'`);
  await raise(moved, 'd');
  const one = relay(moved);
  await settled('the gap is forgotten', async () => {
    await one.runOnce();
    return (await moved.cursor()).gaps.length === 0;
  });
  expect(one.status().lastError).toBeUndefined();
  expect(await inTopic()).toEqual(['a:1', 'b:3', 'c:4', 'd:5']);
});

it('E10: an outbox copied without its identity: stops, and publishes what was raised, once', async () => {
  await move();
  // Long ago, or the mend would publish these again: it allows for clocks that differ.
  await moved.pool.query(`update aura.outbox set raised_at = raised_at - interval '1 minute'`);
  for (const key of ['d', 'e', 'f']) await raise(moved, key); // positions 1 to 3, once more
  const one = relay(moved);
  await one.runOnce();
  expect(one.status().lastError?.message).toMatch(
    /position 4 was handed out before.*relay mend sequence-behind/,
  );
  const operations = new OutboxRelay({ pool: moved.pool, replay: { count: never, start: never } });
  const change = { reason: 'copied', by: 'anna', dryRun: false };
  expect(await operations.mend('sequence-behind', { ...change, dryRun: true })).toMatch(/3 rows/);
  expect(await inTopic()).toEqual(['a:1', 'b:3', 'c:4']);
  await operations.mend('sequence-behind', change);
  await raise(moved, 'g');
  await settled('it publishes again', async () => {
    await one.runOnce();
    return one.status().lastError === undefined && (await inTopic()).length >= 7;
  });
  expect(await inTopic()).toEqual(['a:1', 'b:3', 'c:4', 'd:5', 'e:6', 'f:7', 'g:8']);
  await one.runOnce();
  expect(await operations.findings()).toEqual([]);
});
