import { newEventId } from '@aura/contracts';
import type { EventLog } from '@aura/event-log';
import { seeded, settled } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  byKey,
  consumerFixture,
  ledgerService,
  testLogs,
  type ConsumerFixture,
  type EventToPublish,
  type TestLog,
} from '../../test/consumer-fixture.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { listParked } from '../letters/letter-list.js';
import type { Consumer } from './consumer.js';
import { HoldError } from './hold-error.js';

const numbered = (count: number, keys: readonly string[]): EventToPublish[] =>
  Array.from({ length: count }, (_, n) => ({ key: keys[n % keys.length] ?? '', n }));

describe.each(testLogs())('the consumer over $kind', ({ open }) => {
  let testLog: TestLog;
  let log: EventLog;
  let base: ServiceFixture;
  let service: ConsumerFixture;
  beforeAll(async () => {
    base = await ledgerService();
    testLog = await open();
    log = testLog.log;
  });
  afterAll(async () => {
    await testLog.close();
    await base.close();
  });
  beforeEach(async () => {
    service = await consumerFixture(base);
    await log.createTopics([{ name: service.events.topic, partitions: 3 }]);
  });
  afterEach(() => service.stop());

  const publish = async (events: readonly EventToPublish[]): Promise<void> => {
    const { failed } = await log.append(events.map((event) => service.events.record(event)));
    expect(failed).toEqual([]);
  };
  const effects = (count: number): Promise<string[]> =>
    settled(`${count} effects`, async () => {
      const ledger = await service.ledger();
      return ledger.length >= count ? ledger : undefined;
    });
  const end = async (): Promise<number> =>
    (await log.bounds(service.events.topic)).reduce((sum, bounds) => sum + Number(bounds.end), 0);
  /** Every record is behind the group's offsets. */
  const caughtUp = (): Promise<boolean> =>
    settled('the group has caught up', async () => {
      const reached = Object.values(await service.offsets()).reduce((sum, offset) => sum + offset, 0);
      return reached === (await end());
    });

  it('E2, E3: applies each event once, in the order of its key, and saves where it stands', async () => {
    const keys = ['a', 'b', 'c', 'd'];
    await publish(numbered(40, keys));
    await service.consumer(log, [service.events.noting()]).start();
    await caughtUp();
    const ledger = byKey(await service.ledger());
    for (const [at, key] of keys.entries())
      expect(ledger[key]).toEqual(Array.from({ length: 10 }, (_, i) => 4 * i + at));
  });

  it('E6: a TypeError in a handler stops nobody; its event waits in sight, the key behind it', async () => {
    await publish(numbered(30, ['a', 'b', 'c']));
    const broken = service.events.noting(({ n }) => {
      if (n === 7) (undefined as unknown as { charge(): void }).charge();
    });
    await service.consumer(log, [broken]).start();
    await caughtUp();
    const [parked, ...others] = await listParked(service.pool, service.events.group);
    expect(others).toEqual([]);
    expect(parked).toMatchObject({
      key: 'b',
      type: 'spec.Counted',
      state: 'retrying',
      attempts: 1,
      waiting: 7,
    });
    expect(parked?.error).toMatchObject({ name: 'TypeError' });
    expect(parked?.error?.stack).toContain('consumer.int.spec');
    expect(byKey(await service.ledger())).toMatchObject({ b: [1, 4] });
    expect(await service.ledger()).toHaveLength(22);
  });

  it('E5: a handler that can take nothing now is waited for: nothing is parked', async () => {
    await publish(numbered(6, ['a', 'b', 'c']));
    let held = 0;
    const holding = service.events.noting(() => {
      // More often than a passing fault of one event is tried.
      if (++held <= 12) throw new HoldError('it is not ready');
    });
    await service.consumer(log, [holding]).start();
    await caughtUp();
    expect(await listParked(service.pool, service.events.group)).toEqual([]);
    expect(await service.ledger()).toHaveLength(6);
  });

  it('E7: what is published twice, or read again from the start, changes nothing', async () => {
    const events = numbered(12, ['a', 'b']).map((event) => ({ ...event, id: newEventId(new Date()) }));
    await publish(events);
    await publish(events.map((event) => ({ ...event, headers: { replayid: 'again' } })));
    const first = service.consumer(log, [service.events.noting()]);
    await first.start();
    await caughtUp();
    await first.stop();
    await service.pool.query('update aura.consumer_offset set next_offset = 0');
    await service.consumer(log, [service.events.noting()]).start();
    await caughtUp();
    expect(byKey(await service.ledger())).toEqual({ a: [0, 2, 4, 6, 8, 10], b: [1, 3, 5, 7, 9, 11] });
  });

  it('H5: a database that went back gets the lost effects again, whatever the log knows', async () => {
    await publish(numbered(9, ['a', 'b', 'c']));
    const first = service.consumer(log, [service.events.noting()]);
    await first.start();
    await caughtUp();
    await first.stop();
    // The backup of before the first event.
    await service.pool.query('truncate ledger, aura.inbox; update aura.consumer_offset set next_offset = 0');
    await service.consumer(log, [service.events.noting()]).start();
    await effects(9);
    expect(byKey(await service.ledger())).toEqual({ a: [0, 3, 6], b: [1, 4, 7], c: [2, 5, 8] });
  });

  it('H5: an offset beyond the log’s end stops its partition, never reset; others flow', async () => {
    await publish(numbered(6, ['a', 'b', 'c']));
    const first = service.consumer(log, [service.events.noting()]);
    await first.start();
    await caughtUp();
    await first.stop();
    const before = await service.offsets();
    await service.pool.query(`update aura.consumer_offset set next_offset = 900 where partition = 0`);
    const consumer = service.consumer(log, [service.events.noting()]);
    await consumer.start();
    const [stalled] = await settled('the alarm', () => {
      const { stalledPartitions } = consumer.status();
      return stalledPartitions.length > 0 ? stalledPartitions : undefined;
    });
    expect(stalled).toMatchObject({ partition: 0, error: { name: 'PositionOutOfRangeError' } });
    await publish(numbered(30, 'abcdefghijklmno'.split('')));
    await settled('the others flow', async () => {
      const offsets = await service.offsets();
      return [1, 2].some((p) => (offsets[p] ?? 0) > (before[p] ?? 0));
    });
    expect(await service.offsets()).toMatchObject({ 0: 900 });
  });

  it('E3: a late assignment of an expelled member stops nothing: partitions are taken again', async () => {
    const keys = 'abcdefgh'.split('');
    await publish(numbered(8, keys));
    const consumer = service.consumer(log, [service.events.noting()]);
    await consumer.start();
    await caughtUp();
    await service.pool.query(`update aura.consumer_offset set epoch = epoch + 1, owner = 'a zombie'`);
    await publish(numbered(24, keys).slice(8));
    await caughtUp();
    const ledger = byKey(await service.ledger());
    for (const [at, key] of keys.entries()) expect(ledger[key]).toEqual([at, at + 8, at + 16]);
    expect(consumer.status().stalledPartitions).toEqual([]);
  });

  it('knows how far behind it is, without asking', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const waiting = service.events.noting(({ n }) => gates[n < 6 ? 0 : 1]?.promise);
    await publish(numbered(6, ['a', 'b', 'c']));
    const consumer = service.consumer(log, [waiting]);
    const behind = (): number => consumer.status().lags.reduce((sum, { records }) => sum + records, 0);
    await consumer.start();
    await settled('it is behind by all', () => behind() === 6);
    gates[0]?.resolve();
    await caughtUp();
    await settled('it has none left', () => behind() === 0);
    await publish(numbered(30, ['a', 'b', 'c']).slice(6));
    await settled('it is behind again', () => behind() > 0);
    gates[1]?.resolve();
    await caughtUp();
    await settled('it has none left', () => behind() === 0);
  });

  it('gives its partitions back in good order: released, with their offsets', async () => {
    await publish(numbered(6, ['a', 'b', 'c']));
    const consumer = service.consumer(log, [service.events.noting()]);
    await consumer.start();
    await caughtUp();
    expect(consumer.status()).toMatchObject({ running: true, stalledPartitions: [] });
    await consumer.stop();
    const rows = await service.rows('select distinct released from aura.consumer_offset');
    expect(rows).toEqual([{ released: true }]);
    expect(consumer.status()).toMatchObject({ running: false, assigned: [] });
  });

  it('E2, E3: members come and go under load: each event once, in the order of its key', async () => {
    const random = seeded('members come and go');
    const keys = 'abcdefgh'.split('');
    const members: Consumer[] = [];
    const join = async (): Promise<void> => {
      const consumer = service.consumer(log, [service.events.noting()]);
      members.push(consumer);
      await consumer.start();
    };
    await join();
    let published = 0;
    for (let round = 0; round < 6; round++) {
      const count = 20 + random.int(20);
      await publish(numbered(published + count, keys).slice(published));
      published += count;
      if (members.length < 3 && random.chance(0.6)) await join();
      else if (members.length > 1) await members.splice(random.int(members.length), 1)[0]?.stop();
      await effects(random.int(published));
    }
    await caughtUp();
    const ledger = byKey(await service.ledger());
    for (const [at, key] of keys.entries())
      expect(ledger[key]).toEqual(
        numbered(published, keys).flatMap((_, n) => (n % keys.length === at ? [n] : [])),
      );
  });
});
