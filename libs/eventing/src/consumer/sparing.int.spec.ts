import type { EventEnvelope } from '@aura/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { listParked } from '../letters/letter-list.js';
import type { Work } from '../unit-of-work/work.js';
import type { EventHandler, RefusedRecord } from './handlers.js';

let base: ServiceFixture;
let service: ConsumerFixture;
beforeAll(async () => {
  base = await ledgerService();
});
afterAll(() => base.close());
beforeEach(async () => {
  service = await consumerFixture(base);
});
afterEach(() => service.stop());

const newLog = (): HandDrivenLog => new HandDrivenLog([{ partition: 0, first: 0n, end: 0n }]);

/** Throws at n = 0. */
const throwing = (): EventHandler =>
  service.events.noting(({ n }) => {
    if (n === 0) throw new Error('never');
  });

/** As `throwing`, and can do without it: it notes a -1 in its place. */
function sparing(told: { record: RefusedRecord; error: unknown }[]): EventHandler {
  return {
    ...throwing(),
    async refused(record: RefusedRecord, error: unknown, work: Work) {
      told.push({ record, error });
      const values = [record.key, record.id];
      await work.manager.query('insert into ledger (key, n, event_id) values ($1, -1, $2)', values);
    },
  };
}

it('H20: parks nothing whose handlers can do without it, and goes on behind it', async () => {
  const { events } = service;
  const log = newLog();
  const told: { record: RefusedRecord; error: unknown }[] = [];
  await service.consumer(log.port, [sparing(told)]).start();
  await log.assign(events.topic, 0);
  const values = [1, 0, 2];
  await log.deliverAll(values.map((n, i) => at(0, i, events.record({ key: 'a', n }))));
  expect(await service.ledger()).toEqual(['a:1', 'a:-1', 'a:2']);
  expect(told.at(-1)).toMatchObject({
    record: { topic: events.topic, key: 'a', type: events.counted.name },
    error: { message: 'never' },
  });
  expect(await listParked(service.pool, events.group)).toEqual([]);
  expect(await service.offsets()).toEqual({ 0: 3 });
});

it('H20: nor what can’t be read, nor what ended its process', async () => {
  const { events } = service;
  const told: { record: RefusedRecord; error: unknown }[] = [];
  const unreadable = events.record({ key: 'a', n: 1, value: Buffer.from([9]) });
  const first = newLog();
  await service.consumer(first.port, [sparing(told)]).start();
  await first.assign(events.topic, 0);
  await first.deliverAll([at(0, 0, unreadable), at(0, 1, events.record({ key: 'a', n: 2 }))]);
  // Told after all that the unit handles.
  expect(await service.ledger()).toEqual(['a:2', 'a:-1']);
  // Its owner died twice with the next one alone under way.
  await service.pool.query(
    'update aura.consumer_offset set started_offset = 2, started_until = 3, starts = 2, released = false',
  );
  const next = new HandDrivenLog([{ partition: 0, first: 0n, end: 3n }]);
  await service.consumer(next.port, [sparing(told)]).start();
  await next.assign(events.topic, 0);
  await next.deliverAll([at(0, 2, events.record({ key: 'a', n: 3 }))]);
  expect((await service.ledger()).slice(2)).toEqual(['a:-1']);
  expect(told.map(({ error }) => (error as Error).name)).toEqual([
    'UnreadableEventError',
    'EndedProcessError',
  ]);
  expect(await listParked(service.pool, events.group)).toEqual([]);
});

it('H20: parks what one of its handlers needs', async () => {
  const { events } = service;
  const log = newLog();
  const told: { record: RefusedRecord; error: unknown }[] = [];
  const strict: EventHandler = {
    mode: 'each',
    type: events.counted,
    name: 'Strict.note',
    handle: () => Promise.resolve(),
  };
  await service.consumer(log.port, [sparing(told), strict]).start();
  await log.assign(events.topic, 0);
  await log.deliverAll([0, 1].map((n) => at(0, n, events.record({ key: 'a', n }))));
  expect(told).toEqual([]);
  expect(await service.ledger()).toEqual([]);
  expect(await listParked(service.pool, events.group)).toMatchObject([{ key: 'a', waiting: 1 }]);
});

it('an event about many things that fails goes back to its handler; unreadable, it is parked', async () => {
  const { events } = service;
  const log = newLog();
  const taken: EventEnvelope[] = [];
  const apart: EventHandler = {
    ...throwing(),
    async failed(event: EventEnvelope, _error: unknown, work: Work) {
      taken.push(event);
      work.schedule({ kind: 'part', key: event.key, payload: {} });
      await work.manager.query(`insert into ledger (key, n, event_id) values ($1, -1, $2)`, [
        event.key,
        event.id,
      ]);
    },
  };
  await service.consumer(log.port, [apart]).start();
  await log.assign(events.topic, 0);
  const unreadable = events.record({ key: 'b', n: 1, value: Buffer.from([9]) });
  await log.deliverAll([1, 0, 2].map((n, i) => at(0, i, events.record({ key: 'a', n }))));
  await log.deliverAll([at(0, 3, unreadable)]);
  expect(await service.ledger()).toEqual(['a:1', 'a:-1', 'a:2']);
  expect(taken).toMatchObject([{ key: 'a', payload: { n: 0 } }]);
  const tasks = await service.pool.query('select key, causation_id as cause from aura.task where kind = $1', [
    'part',
  ]);
  expect(tasks.rows).toEqual([{ key: 'a', cause: taken[0]?.id }]);
  expect(await listParked(service.pool, events.group)).toMatchObject([{ key: 'b' }]);
});
