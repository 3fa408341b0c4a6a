import { newEventId, type EventEnvelope } from '@aura/contracts';
import type { LogRecord } from '@aura/event-log';
import { statement, TerminalError, TransientError } from '@aura/platform';
import { settled } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { listParked } from '../letters/letter-list.js';
import type { Consumer, ConsumerOptions } from './consumer.js';
import type { EventHandler } from './handlers.js';
import { rememberNew } from './inbox.js';

let base: ServiceFixture;
let service: ConsumerFixture;
let log: HandDrivenLog;
beforeAll(async () => {
  base = await ledgerService();
});
afterAll(() => base.close());
beforeEach(async () => {
  service = await consumerFixture(base);
  log = new HandDrivenLog([0, 1, 2].map((partition) => ({ partition, first: 0n, end: 0n })));
});
afterEach(() => service.stop());

/** A consumer that holds all three partitions. */
async function assigned(handlers: EventHandler[], options?: Partial<ConsumerOptions>): Promise<Consumer> {
  const consumer = service.consumer(log.port, handlers, options);
  await consumer.start();
  await log.assign(service.events.topic, 0, 1, 2);
  return consumer;
}
const counted = (partition: number, offset: number, key: string, n: number, id?: string): LogRecord =>
  at(partition, offset, service.events.record({ key, n, ...(id ? { id } : {}) }));
const parked = () => listParked(service.pool, service.events.group);

it('H1: a handler that swallows an SQL error is named in the letter; the others go on', async () => {
  // The mistake is the last thing that this handler does: nobody else's statement stumbles over it.
  const careless: EventHandler = {
    mode: 'each',
    type: service.events.counted,
    name: 'Careless.look',
    async handle(event, work) {
      if ((event.payload as { n: number }).n === 2)
        await work.manager.query('select 1 / 0').catch(() => undefined);
    },
  };
  await assigned([service.events.noting(), careless]);
  await log.deliver([counted(0, 0, 'a', 1), counted(0, 1, 'b', 2), counted(1, 0, 'c', 3)]);
  expect((await service.ledger()).toSorted()).toEqual(['a:1', 'c:3']);
  expect(await parked()).toMatchObject([{ key: 'b', error: { name: 'SwallowedSqlError' } }]);
  expect((await parked())[0]?.error?.message).toMatch(/^Careless\.look caught an SQL error/);
  expect(await service.offsets()).toEqual({ 0: 2, 1: 1, 2: 0 });
});

it('H2: both copies of a repeated record in one unit are one effect', async () => {
  await assigned([service.events.noting()]);
  const id = newEventId(new Date());
  await log.deliver([counted(0, 0, 'a', 1, id), counted(0, 1, 'a', 1, id), counted(0, 2, 'a', 2)]);
  expect(await service.ledger()).toEqual(['a:1', 'a:2']);
  expect(await service.offsets()).toMatchObject({ 0: 3 });
});

it('H5: after a restore the database’s older offsets win, whatever the log remembers', async () => {
  await assigned([service.events.noting()]);
  await log.deliver([counted(0, 0, 'a', 1), counted(0, 1, 'a', 2)]);
  await service.pool.query('truncate ledger, aura.inbox; update aura.consumer_offset set next_offset = 0');
  expect((await log.assign(service.events.topic, 0)).get(0)).toBe(0n);
});

it('starts a new group at the first record kept, later where its rows say', async () => {
  const kept = new HandDrivenLog([0, 1, 2].map((partition) => ({ partition, first: 7n, end: 9n })));
  await service.consumer(kept.port, [service.events.noting()]).start();
  expect([...(await kept.assign(service.events.topic, 1))]).toEqual([[1, 7n]]);
  await kept.deliver([counted(1, 7, 'a', 1)]);
  // A replica that comes later is not mistaken for one whose database forgot, nor a partition that was added.
  const grown = new HandDrivenLog([0, 1, 2, 3].map((partition) => ({ partition, first: 7n, end: 9n })));
  await service.consumer(grown.port, [service.events.noting()]).start();
  expect([...(await grown.assign(service.events.topic, 1, 2))]).toEqual([
    [1, 8n],
    [2, 7n],
  ]);
  const added = new HandDrivenLog([{ partition: 4, first: 0n, end: 3n }]);
  await service.consumer(added.port, [service.events.noting()]).start();
  expect([...(await added.assign(service.events.topic, 4))]).toEqual([[4, 0n]]);
});

it('E10: a place outside of the log is not even tried: its partition stands still', async () => {
  const first = new HandDrivenLog([0, 1, 2].map((partition) => ({ partition, first: 0n, end: 9n })));
  await service.consumer(first.port, [service.events.noting()]).start();
  await first.assign(service.events.topic, 0);
  await service.pool.query('update aura.consumer_offset set next_offset = 5 * (partition + 1)');
  const later = new HandDrivenLog([
    { partition: 0, first: 6n, end: 9n }, // stands at 5
    { partition: 1, first: 0n, end: 10n }, // at 10
    { partition: 2, first: 0n, end: 14n }, // at 15
  ]);
  const consumer = service.consumer(later.port, [service.events.noting()]);
  await consumer.start();
  expect([...(await later.assign(service.events.topic, 0, 1, 2))]).toEqual([[1, 10n]]);
  const [behind, beyond] = consumer.status().stalledPartitions;
  expect([behind?.error.message, beyond?.error.message]).toEqual([
    expect.stringContaining('retention has passed it'),
    expect.stringContaining('the log lost its tail'),
  ]);
});

const LOCK_STOCK = statement(
  'spec_unit_lock_stock',
  'select 1 from stock where sku = any($1::text[]) order by sku for update',
);

it('H18: two replicas that want the same rows in opposite order never meet in a deadlock', async () => {
  await service.pool.query(`create table stock (sku text primary key, n int not null);
    insert into stock values ('x', 0), ('y', 0)`);
  const skus: Record<string, string> = { a: 'x', b: 'y', c: 'y', d: 'x' };
  let calls = 0;
  const blockedOrBoth = (): Promise<unknown> =>
    settled('the other replica is in its handler, or waits for our rows', async () => {
      const [row] = await service.rows<{ n: number }>(
        `select count(*)::int as n from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return (row?.n ?? 0) > 0 || calls >= 2;
    });
  const taking: EventHandler = {
    mode: 'each',
    type: service.events.counted,
    name: 'Stock.take',
    locks: { statement: LOCK_STOCK, keysOf: (event) => [skus[event.key] ?? ''] },
    async handle(event, work) {
      calls++;
      await work.manager.query('update stock set n = n + 1 where sku = $1', [skus[event.key]]);
      await blockedOrBoth();
    },
  };
  await assigned([taking]);
  const other = new HandDrivenLog([{ partition: 3, first: 0n, end: 0n }]);
  await service.consumer(other.port, [taking]).start();
  await other.assign(service.events.topic, 3);
  await Promise.all([
    log.deliver([counted(0, 0, 'a', 1), counted(0, 1, 'b', 1)]),
    other.deliver([counted(3, 0, 'c', 1), counted(3, 1, 'd', 1)]),
  ]);
  expect(calls).toBe(4); // a deadlock would have made one replica call its handlers again
  expect(await service.rows('select sku, n from stock order by sku')).toEqual([
    { sku: 'x', n: 2 },
    { sku: 'y', n: 2 },
  ]);
});

it('E6: an event that can’t be read waits in sight with its key, whatever is wrong with it', async () => {
  await assigned([service.events.noting()]);
  const { events } = service;
  const future = newEventId(new Date(Date.now() + 2 * 3_600_000));
  await log.deliver([
    at(0, 0, events.record({ key: 'bytes', n: 1, value: Buffer.from([0, 0, 0, 0, 1, 200]) })),
    at(0, 1, events.record({ key: 'no-id', n: 1, headers: { ce_id: 'order-17' } })),
    at(0, 2, events.record({ key: 'future', n: 1, id: future })),
    at(0, 3, events.record({ key: 'frame', n: 1, value: Buffer.from('{}') })),
    at(0, 4, events.record({ key: 'zero', n: 1, value: Buffer.from('x'), headers: { note: 'a\0b \ud800' } })),
    at(0, 5, events.record({ key: 'sound', n: 1 })),
    at(0, 6, events.record({ key: 'bytes', n: 2 })),
  ]);
  expect(await service.ledger()).toEqual(['sound:1']);
  const letters = Object.fromEntries((await parked()).map((key) => [key.key, key]));
  expect(Object.keys(letters).toSorted()).toEqual(['bytes', 'frame', 'future', 'no-id', 'zero']);
  expect(letters['bytes']).toMatchObject({ state: 'dead', waiting: 1, attempts: 1 });
  expect(letters['no-id']?.error?.message).toContain('order-17');
  expect(letters['future']?.error?.message).toContain(future);
  expect(await service.offsets()).toMatchObject({ 0: 7 });
  // H50: nothing of the future is in the inbox.
  const [row] = await service.rows<{ n: number }>(
    'select count(*)::int as n from aura.inbox where event_id = $1',
    [future],
  );
  expect(row?.n).toBe(0);
});

it('E6: a key that no row takes stops its own records only; they wait in order', async ({ signal }) => {
  await assigned([service.events.noting()]);
  const { events } = service;
  const long = 'ö'.repeat(2_000);
  const foreign = (offset: number, key: string, n: number): LogRecord =>
    at(0, offset, { ...events.record({ key: 'k', n }), key });
  await log.deliver(
    [
      foreign(0, 'a\0b', 1),
      foreign(1, long, 1),
      foreign(2, `${long}!`, 1),
      foreign(3, '\ud800', 1),
      at(0, 4, events.record({ key: 'sound', n: 1 })),
      foreign(5, 'a\0b', 2),
    ],
    signal,
  );
  await log.deliver([foreign(6, long, 2), at(1, 0, events.record({ key: 'other', n: 1 }))], signal);
  expect((await service.ledger()).toSorted()).toEqual(['other:1', 'sound:1']);
  expect(await service.offsets()).toMatchObject({ 0: 7, 1: 1 });
  const letters = (await parked()).toSorted((a, b) => Number(a.offset - b.offset));
  expect(letters.map(({ offset, state, waiting }) => [Number(offset), state, waiting])).toEqual([
    [0, 'dead', 1],
    [1, 'dead', 1],
    [2, 'dead', 0],
    [3, 'dead', 0],
  ]);
  expect(letters[0]?.key).toMatch(/^a\ufffdb \[unstorable key [0-9a-f-]{36}\]$/);
  expect(letters[1]?.error?.message).toContain(`the key of ${events.topic}/0 at 1 can’t be stored`);
});

it('E5: nothing is parked for what passes by itself: a fault, a conflict, a registry away', async () => {
  let faults = 0;
  let asked = 0;
  const failing = service.events.noting(({ n }) => {
    if (faults++ < 2)
      throw n === 1 ? new TransientError('busy') : Object.assign(new Error('x'), { code: '40001' });
  });
  const registry = {
    schemaById: (id: number) =>
      ++asked < 3 ? Promise.reject(new TransientError('away')) : service.events.registry.schemaById(id),
  };
  await assigned([failing], { registry });
  const record = counted(0, 0, 'a', 1);
  const { ce_dataschema: _, ...headers } = record.headers; // the schema must be asked for
  log.held = [{ topic: service.events.topic, partition: 0 }];
  while ((await log.deliver([{ ...record, headers }])).length === 0)
    await settled('it is tried again', () => log.moved.splice(0).length > 0);
  faults = 0;
  await log.deliver([counted(0, 1, 'b', 2)]);
  expect(await service.ledger()).toEqual(['a:1', 'b:2']);
  expect(asked).toBe(3);
  expect(await parked()).toEqual([]);
});

it('marks a permanent error dead, another retrying, and queues later deliveries behind both', async () => {
  await assigned([
    service.events.noting(({ n }) => {
      if (n === 1) throw new TerminalError('never');
      if (n === 2) throw new Error('who knows');
    }),
  ]);
  await log.deliver([counted(0, 0, 'a', 1), counted(0, 1, 'b', 2)]);
  await log.deliver([
    counted(0, 2, 'a', 3),
    counted(0, 3, 'b', 4),
    counted(0, 4, 'a', 5),
    counted(0, 5, 'c', 6),
  ]);
  expect(await service.ledger()).toEqual(['c:6']);
  expect(await parked()).toMatchObject([
    { key: 'a', state: 'dead', waiting: 2, offset: 0n },
    { key: 'b', state: 'retrying', waiting: 1, offset: 1n },
  ]);
  const order = await service.rows<{ log_offset: string }>(
    `select log_offset from aura.letter where key = 'a' order by id`,
  );
  expect(order.map((row) => Number(row.log_offset))).toEqual([0, 2, 4]);
});

it('E6: one poison event in a full unit parks its key alone', async () => {
  await assigned([
    service.events.noting(({ n }) => {
      if (n === 23) throw new RangeError('poison');
    }),
  ]);
  const ends = new Map<number, number>();
  const records = Array.from({ length: 60 }, (_, n) => {
    const partition = (n % 20) % 3;
    const offset = ends.get(partition) ?? 0;
    ends.set(partition, offset + 1);
    return counted(partition, offset, `k${n % 20}`, n);
  });
  await log.deliver(records.toSorted((a, b) => a.partition - b.partition));
  const letters = await parked();
  expect(letters).toMatchObject([
    { key: 'k3', error: { name: 'RangeError', message: 'poison' }, waiting: 1 },
  ]);
  expect(await service.ledger()).toHaveLength(58);
  expect(await service.offsets()).toEqual({ 0: 21, 1: 21, 2: 18 });
});

it('M3: what nobody handles never meets the database; its offsets are saved with the next unit', async () => {
  await assigned([service.events.noting()]);
  const closed = (offset: number) => at(0, offset, service.events.record({ key: 'a' }));
  expect(await log.deliver([closed(0), closed(1)])).toMatchObject([{ partition: 0, offset: 2n }]);
  expect(await service.offsets()).toMatchObject({ 0: 0 });
  await log.deliver([counted(0, 2, 'a', 1), closed(3)]);
  expect(await service.offsets()).toMatchObject({ 0: 4 });
});

const isBig = (event: EventEnvelope): boolean => (event.payload as { n: number }).n > 1;
it('M3: so is what a handler says is none of its, unless another one wants it', async () => {
  const consumer = await assigned([{ ...service.events.noting(), concerns: isBig }]);
  await log.deliver([counted(0, 0, 'a', 1), counted(0, 1, 'a', 2), counted(1, 0, 'b', 1)]);
  expect(await service.ledger()).toEqual(['a:2']);
  expect(await service.rows('select from aura.inbox')).toHaveLength(1);
  expect(await log.deliver([counted(2, 0, 'c', 1)])).toMatchObject([{ partition: 2, offset: 1n }]);
  expect(await service.offsets()).toEqual({ 0: 2, 1: 1, 2: 0 });
  await consumer.stop();
  const other = { ...service.events.noting(), name: 'Other.note' };
  await assigned([{ ...service.events.noting(), concerns: isBig }, other]);
  await log.deliver([counted(2, 1, 'c', 1)]);
  expect(await service.ledger()).toEqual(['a:2', 'c:1', 'c:1']);
});

it('M3: they are saved by themselves when no unit comes', async () => {
  await assigned([service.events.noting()], { limits: { saveSkippedMs: 20 } });
  await log.deliver([at(0, 0, service.events.record({ key: 'a' }))]);
  await settled('the offset is saved', async () => (await service.offsets())[0] === 1);
});

it('makes the inbox’s days before the first unit, and new ids go there', async () => {
  await assigned([service.events.noting()]);
  await log.deliver([counted(0, 0, 'a', 1)]);
  const rows = await service.rows<{ part: string }>(
    'select tableoid::regclass::text as part from aura.inbox',
  );
  expect(rows).toEqual([{ part: expect.stringMatching(/^aura\.inbox_\d{8}$/) }]);
});

it('a set handler is one statement for many events, and must name the cause of what it raises', async () => {
  const raising: EventHandler = {
    mode: 'set',
    type: service.events.counted,
    name: 'Set.raise',
    handle(events, work) {
      for (const cause of events)
        work.raise(service.events.closed.of({ key: cause.key }), cause.key === 'c' ? {} : { cause });
      return Promise.resolve();
    },
  };
  await assigned([service.events.notingSets(), raising]);
  await log.deliver([
    counted(0, 0, 'b', 1),
    counted(0, 1, 'a', 1),
    counted(0, 2, 'a', 2),
    counted(0, 3, 'c', 1),
  ]);
  expect((await service.ledger()).toSorted()).toEqual(['a:1', 'a:2', 'b:1']);
  expect((await parked())[0]?.error?.message).toContain('Set.raise raised spec.Closed without naming');
  const [row] = await service.rows<{ n: number }>(
    `select count(distinct headers->>'causationid')::int as n from aura.outbox`,
  );
  expect(row?.n).toBe(3);
});

it('E3: ids are remembered in a transaction that has begun, and in no other', async () => {
  // As where START TRANSACTION failed by itself, and what was sent behind it runs alone.
  const alone = rememberNew(service.pool, 'ledger', [newEventId(new Date())]);
  await expect(alone).rejects.toMatchObject({ code: '40001' });
  expect(await service.rows('select from aura.inbox')).toEqual([]);
});
