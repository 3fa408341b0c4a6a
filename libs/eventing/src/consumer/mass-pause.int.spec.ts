import type { LogRecord } from '@aura/event-log';
import { settled } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { LettersFullError } from '../letters/letters-full-error.js';
import { listParked } from '../letters/letter-list.js';
import type { Change } from '../operations/operations.js';
import { ServiceGroup } from './group-operations.js';

let base: ServiceFixture;
let service: ConsumerFixture;
beforeAll(async () => {
  base = await ledgerService();
});
afterAll(() => base.close());
beforeEach(async () => {
  service = await consumerFixture(base);
  await service.pool.query('truncate aura.group_pause, aura.operation');
});
afterEach(() => service.stop());

const limits = { initialBackoffMs: 5, maxBackoffMs: 50, saveSkippedMs: 20 };
const change: Change = { reason: 'the deploy was rolled back', by: 'olga', dryRun: false };
const counted = (partition: number, offset: number, key: string, n = offset): LogRecord =>
  at(partition, offset, service.events.record({ key, n }));
const newLog = (...held: number[]): HandDrivenLog => {
  const log = new HandDrivenLog([0, 1].map((partition) => ({ partition, first: 0n, end: 0n })));
  log.held = held.map((partition) => ({ topic: service.events.topic, partition }));
  return log;
};
const group = (log: HandDrivenLog): ServiceGroup =>
  new ServiceGroup({
    group: service.events.group,
    topics: [service.events.topic],
    units: service.units,
    log: log.port,
    consumer: () => undefined,
  });

it('H22: a bad deploy pauses the group on every replica, parks no more; then it goes on', async () => {
  const { events, pool } = service;
  const [log, otherLog] = [newLog(0), newLog(1)];
  let broken = true;
  const handler = events.noting(() => {
    if (broken) throw new Error('column "price" does not exist');
  });
  const consumer = service.consumer(log.port, [handler], { limits });
  const other = service.consumer(otherLog.port, [handler], { limits });
  await consumer.start();
  await other.start();
  await log.assign(events.topic, 0);
  await otherLog.assign(events.topic, 1);
  const records = Array.from({ length: 50 }, (_, n) => counted(0, n, `k${n}`));
  await log.deliver(records);

  expect(consumer.status().paused).toMatchObject({ by: 'the group itself' });
  expect(consumer.status().paused?.reason).toContain('20 of 20 keys failed within a minute');
  expect(consumer.status().paused?.reason).toContain('column "price" does not exist');
  // The twentieth is in hand: neither parked nor passed.
  expect(await listParked(pool, events.group)).toHaveLength(19);
  expect(await service.offsets()).toMatchObject({ 0: 19 });
  expect(await log.deliver(records.slice(19))).toEqual([]);
  await settled('the other replica has seen it, without an event', () => other.status().paused);
  expect(await otherLog.deliver([counted(1, 0, 'z')])).toEqual([]);
  // A new one stands still from the start.
  await consumer.stop();
  const nextLog = newLog(0);
  const next = service.consumer(nextLog.port, [handler], { limits });
  await next.start();
  expect(await nextLog.assign(events.topic, 0)).toEqual(new Map());

  broken = false;
  await group(log).resume({ ...change, dryRun: true });
  expect(await service.rows('select by from aura.group_pause')).toEqual([{ by: 'the group itself' }]);
  await group(log).resume(change);
  await settled('the new one goes on where it stood', () => nextLog.moved.includes('seek 0 to 19'));
  await settled('so does the other replica', () => otherLog.moved.includes('seek 1 to 0'));
  await nextLog.deliverAll(records.slice(19));
  await otherLog.deliverAll([counted(1, 0, 'z')]);
  expect(await service.ledger()).toHaveLength(32);
  expect(await service.offsets()).toMatchObject({ 0: 50, 1: 1 });
  expect(await service.rows('select what, by from aura.operation order by id')).toEqual([
    { what: 'groups pause', by: 'the group itself' },
    { what: 'groups resume', by: 'olga' },
  ]);
});

it('H22: what another replica has concluded keeps this one from parking, at once', async () => {
  const { events, pool } = service;
  const log = newLog(0);
  const failing = events.noting(() => {
    throw new Error('no');
  });
  const calm = { ...limits, saveSkippedMs: 60_000 };
  await service.consumer(log.port, [failing], { limits: calm }).start();
  await log.assign(events.topic, 0);
  await pool.query(`insert into aura.group_pause values ($1, now(), 'a bad deploy', 'olga')`, [events.group]);
  expect(await log.deliver([counted(0, 0, 'a')])).toEqual([]);
  expect(await listParked(pool, events.group)).toEqual([]);
});

it('E6: few failing keys among many park alone', async () => {
  const { events, pool } = service;
  const log = newLog(0);
  const failing = events.noting(({ n }) => {
    if (n % 10 === 0) throw new Error('no');
  });
  const consumer = service.consumer(log.port, [failing], { limits });
  await consumer.start();
  await log.assign(events.topic, 0);
  await log.deliver(Array.from({ length: 300 }, (_, n) => counted(0, n, `k${n}`)));
  expect(consumer.status().paused).toBeUndefined();
  expect(await listParked(pool, events.group)).toHaveLength(30);
  expect(await service.offsets()).toMatchObject({ 0: 300 });
});

it('pause and resume: a unit under way fails whole, nothing is lost', async () => {
  const { events } = service;
  const log = newLog(0);
  const inHandler = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const consumer = service.consumer(
    log.port,
    [
      events.noting(() => {
        inHandler.resolve();
        return gate.promise;
      }),
    ],
    { limits },
  );
  await consumer.start();
  await log.assign(events.topic, 0);
  const record = counted(0, 0, 'a', 1);
  const last = log.deliver([record]);
  await inHandler.promise;
  await group(log).pause(change);
  gate.resolve();
  expect(await last).toEqual([]);
  expect(await service.ledger()).toEqual([]);
  await settled('it stands still', () => consumer.status().paused?.by === 'olga');
  await group(log).resume(change);
  await settled('it goes on', () => log.moved.includes('seek 0 to 0'));
  await log.deliverAll([record]);
  expect(await service.ledger()).toEqual(['a:1']);
});

it('H52: no room for letters holds their partition back, not in a busy loop, until there is', async () => {
  const { events } = service;
  const log = newLog(0, 1);
  let full = true;
  let tries = 0;
  const failing = events.noting(({ key }) => {
    if (key !== 'a' || !full) return;
    tries++;
    throw new LettersFullError([{ topic: events.topic, partition: 0 }], [{ topic: events.topic, key }], {
      of: 'group',
      letters: 1,
    });
  });
  const consumer = service.consumer(log.port, [failing], { limits });
  await consumer.start();
  await log.assign(events.topic, 0, 1);
  const stuck = counted(0, 0, 'a', 1);
  await log.deliver([stuck, counted(1, 0, 'b', 1)]);
  expect(consumer.status().stalledPartitions).toMatchObject([
    { partition: 0, error: { name: 'LettersFullError' } },
  ]);
  expect(await log.deliver([counted(1, 0, 'b', 1)])).toMatchObject([{ partition: 1, offset: 1n }]);
  await settled('it is tried again', () => log.moved.splice(0).includes('seek 0 to 0'));
  await log.deliver([stuck]);
  expect(tries).toBe(2); // once in each delivery
  full = false;
  await settled('it is tried again', () => log.moved.splice(0).includes('seek 0 to 0'));
  await log.deliverAll([stuck]);
  expect((await service.ledger()).toSorted()).toEqual(['a:1', 'b:1']);
  expect(consumer.status().stalledPartitions).toEqual([]);
});

it('E6: a schema that can’t be asked for holds back its key; other keys and partitions flow', async () => {
  const { events } = service;
  const log = newLog(0, 1);
  let away = true;
  const registry = {
    schemaById: () =>
      away
        ? Promise.reject(Object.assign(new Error('away'), { code: 'ECONNREFUSED' }))
        : events.registry.schemaById(1),
  };
  const consumer = service.consumer(log.port, [events.noting()], { limits, registry });
  await consumer.start();
  await log.assign(events.topic, 0, 1);
  const { ce_dataschema: _, ...headers } = counted(0, 1, 'unknown').headers;
  const unknown = { ...counted(0, 1, 'unknown'), headers };
  const records = [
    counted(0, 0, 'before'),
    unknown,
    counted(0, 2, 'other'),
    counted(0, 3, 'unknown'),
    counted(1, 0, 'far'),
  ];
  const moved = await log.deliver(records);
  expect((await service.ledger()).toSorted()).toEqual(['before:0', 'far:0', 'other:2']);
  expect(new Map(moved.map((p) => [p.partition, p.offset]))).toEqual(
    new Map([
      [0, 1n],
      [1, 1n],
    ]),
  );
  expect(consumer.status().stalledPartitions).toMatchObject([{ partition: 0 }]);
  away = false;
  await settled('it is tried again', () => log.moved.splice(0).includes('seek 0 to 1'));
  await log.deliverAll(records.slice(1, 4));
  expect((await service.ledger()).slice(-2)).toEqual(['unknown:1', 'unknown:3']);
  expect(await service.ledger()).toHaveLength(5);
});
