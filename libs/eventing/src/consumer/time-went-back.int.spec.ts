/** E10 for readers: what time took back is said and waited with, on both logs. */
import { Contracts } from '@aura/contracts';
import { backupOf, settled } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  byKey,
  consumerFixture,
  ledgerService,
  SpecEvents,
  type ConsumerFixture,
  type EventToPublish,
} from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { tamperedLogs, type TamperedLog } from '../../test/tampered-log.js';
import type { Change } from '../operations/operations.js';
import type { Consumer } from './consumer.js';
import { ServiceGroup } from './group-operations.js';
import type { StalledPartition } from './ownership.js';

const change: Change = { reason: 'as the doctor says', by: 'olga', dryRun: false };
const numbered = (from: number, to: number): EventToPublish[] =>
  Array.from({ length: to - from }, (_, i) => ({ key: 'abcdefgh'[(from + i) % 8] ?? '', n: from + i }));
const stalled = (consumer: Consumer, count: number): Promise<readonly StalledPartition[]> =>
  settled(`${count} stand still`, () => {
    const { stalledPartitions } = consumer.status();
    return stalledPartitions.length >= count ? stalledPartitions : undefined;
  });
const limits = { initialBackoffMs: 5, maxBackoffMs: 50, saveSkippedMs: 50 };

describe.each(tamperedLogs())('a reader over $kind', ({ open }) => {
  let tampered: TamperedLog;
  let base: ServiceFixture;
  let service: ConsumerFixture;
  let topic: string;
  beforeAll(async () => {
    base = await ledgerService();
    tampered = await open();
  });
  afterAll(async () => {
    await tampered.close();
    await base.close();
  });
  beforeEach(async () => {
    service = await consumerFixture(base);
    ({ topic } = service.events);
    await tampered.log.createTopics([{ name: topic, partitions: 2 }]);
  });
  afterEach(() => service.stop());

  const publish = async (events: readonly EventToPublish[]): Promise<void> => {
    await settled('all is in the log', async () => {
      const { failed } = await tampered.log.append(events.map((event) => service.events.record(event)));
      return failed.length === 0;
    });
  };
  const effects = (count: number): Promise<unknown> =>
    settled(`${count} effects`, async () => (await service.ledger()).length >= count);
  const reader = async (): Promise<Consumer> => {
    const consumer = service.consumer(tampered.log, [service.events.noting()], { limits });
    await consumer.start();
    return consumer;
  };
  /** Reads `count` events and stops in good order. */
  const read = async (count: number): Promise<void> => {
    const consumer = await reader();
    await effects(count);
    await consumer.stop();
  };
  const moveToFirst = (consumer: Consumer): Promise<unknown> =>
    new ServiceGroup({
      group: service.events.group,
      topics: [topic],
      units: service.units,
      log: tampered.log,
      consumer: () => consumer,
    }).move({ topic }, { to: 'first' }, change);

  it('E10, H6: what retention has passed is not jumped over; the others flow', async () => {
    await publish(numbered(0, 16));
    await read(16);
    const before = await service.offsets();
    await publish(numbered(16, 48));
    await tampered.deleteBefore(topic, 0, (before[0] ?? 0) + 3);
    const consumer = await reader();
    const [behind, ...others] = await stalled(consumer, 1);
    expect(others).toEqual([]);
    expect(behind).toMatchObject({ partition: 0, error: { name: 'PositionOutOfRangeError' } });
    expect(behind?.error.message).toContain('replay the range from the publisher’s outbox');
    await settled('the other flows', async () => (await service.offsets())[1] !== before[1]);
    expect((await service.offsets())[0]).toBe(before[0]);
    await moveToFirst(consumer);
    await effects(48 - 3);
    await settled('nothing stands still', () => consumer.status().stalledPartitions.length === 0);
    expect(await service.ledger()).toHaveLength(45);
  });

  it('E10: a topic that was lost and made anew is seen, and read when somebody says so', async () => {
    await publish(numbered(0, 16));
    await read(16);
    const before = await service.offsets();
    await tampered.deleteTopic(topic);
    await settled('it is made anew', async () => {
      await tampered.log.createTopics([{ name: topic, partitions: 2 }]);
      return (await tampered.log.bounds(topic)).every(({ end }) => end === 0n);
    });
    const consumer = await reader();
    const standing = await stalled(consumer, 2);
    expect(standing[0]?.error.message).toContain('the log lost its tail or is another log');
    await publish(numbered(16, 24));
    expect(await service.offsets()).toEqual(before);
    await moveToFirst(consumer);
    await effects(24);
    expect(await service.ledger()).toHaveLength(24);
    const [row] = await service.rows<{ high: string }>(
      'select sum(high_water) as high from aura.consumer_offset',
    );
    expect(Number(row?.high)).toBe(16); // the highest ever passed, whatever it reads now
  });

  it('E10: a group that the log knows and this database forgot does not start by itself', async () => {
    await publish(numbered(0, 16));
    await read(16);
    await settled('the log knows how far it was', async () => {
      const known = await tampered.log.groupOffsets(service.events.group, topic);
      return known.reduce((sum, { offset }) => sum + Number(offset), 0) === 16;
    });
    // The backup of before this group.
    await service.pool.query('truncate ledger, aura.inbox, aura.consumer_offset');
    const consumer = await reader();
    const standing = await stalled(consumer, 2);
    expect(standing.map(({ error }) => error.name)).toEqual(['ForgottenGroupError', 'ForgottenGroupError']);
    expect(standing[0]?.error.message).toContain(`groups move --topic ${topic} --partition 0 --to first`);
    expect(await service.offsets()).toEqual({});
    await moveToFirst(consumer);
    await effects(16);
  });

  it('E10: a topic that vanishes while it is read is told as long as it is gone; another flows', async () => {
    const other = new SpecEvents();
    await tampered.log.createTopics([{ name: other.topic, partitions: 1 }]);
    const contracts = new Contracts({ publishes: [], subscribes: [service.events.counted, other.counted] });
    const handlers = [service.events.noting(), { ...other.noting(), name: 'Ledger.noteOther' }];
    const consumer = service.consumer(tampered.log, handlers, { limits, contracts });
    await consumer.start();
    await publish(numbered(0, 8));
    await tampered.log.append([other.record({ key: 'z', n: 0 })]);
    await effects(9);
    const offsets = () =>
      service.rows<{ partition: number; next_offset: string }>(
        'select partition, next_offset from aura.consumer_offset where topic = $1 order by partition',
        [topic],
      );
    const before = await settled('all is saved', async () => {
      const saved = await offsets();
      return saved.reduce((sum, each) => sum + Number(each.next_offset), 0) === 8 ? saved : undefined;
    });
    await tampered.deleteTopic(topic);
    const gone = await stalled(consumer, 2);
    expect(gone.map((each) => [each.topic, each.error.name])).toEqual([
      [topic, 'UnknownTopicError'],
      [topic, 'UnknownTopicError'],
    ]);
    await tampered.log.append([other.record({ key: 'z', n: 1 })]);
    await effects(10);
    expect(consumer.status().stalledPartitions).toEqual(gone);

    await settled('it is made anew, and shorter', async () => {
      await tampered.log.createTopics([{ name: topic, partitions: 2 }]);
      return (await tampered.log.bounds(topic)).every(({ end }) => end === 0n);
    });
    await publish(numbered(8, 10));
    await tampered.log.append([other.record({ key: 'z', n: 2 })]);
    await effects(11);
    // Kafka lets its readers join anew with a topic that is back.
    const isSeen = tampered.kind === 'postgres' ? 'UnknownTopicError' : 'PositionOutOfRangeError';
    await settled('it still stands still', () => {
      const { stalledPartitions } = consumer.status();
      return stalledPartitions.length === 2 && stalledPartitions.every(({ error }) => error.name === isSeen);
    });
    expect(await offsets()).toEqual(before);
    await moveToFirst(consumer);
    await effects(13);
    await settled('nothing stands still', () => consumer.status().stalledPartitions.length === 0);
  }, 120_000);

  it('E10: a restored database reads again by itself, says so, and re-raises nothing twice', async () => {
    const downstreamBase = await ledgerService();
    const downstream = await consumerFixture(downstreamBase);
    const downstreamLog = new HandDrivenLog([{ partition: 0, first: 0n, end: 0n }]);
    let sent = 0;
    /** What the relay would have carried by now. */
    const carry = async (): Promise<string[]> => {
      const rows = await service.rows<{ event_id: string; key: string }>(
        'select event_id, key from aura.outbox order by position',
      );
      await downstreamLog.deliver(
        rows.map(({ event_id: id, key }) => at(0, sent++, downstream.events.record({ key, n: 0, id }))),
      );
      return rows.map(({ event_id }) => event_id);
    };
    await downstream.consumer(downstreamLog.port, [downstream.events.noting()]).start();
    await downstreamLog.assign(downstream.events.topic, 0);
    const raising = service.events.noting(({ key, n }, work) => {
      work.raise(service.events.closed.of({ key: `${key}-${n}` }));
    });
    const raiser = async (count: number): Promise<Consumer> => {
      const consumer = service.consumer(tampered.log, [raising], { limits });
      await consumer.start();
      await effects(count);
      return consumer;
    };

    await publish(numbered(0, 8));
    await (await raiser(8)).stop();
    const backup = await backupOf(base.database.url);
    try {
      await publish(numbered(8, 24));
      await (await raiser(24)).stop();
      const raised = await carry();
      await backup.restore();
      expect(await settled('the backup is there', () => service.ledger())).toHaveLength(8);
      const consumer = service.consumer(tampered.log, [raising], { limits });
      const [begun, until] = [consumer.start(), settled('it says so', () => consumer.status().rereading[0])];
      await begun;
      await until;
      await effects(24);
      expect(consumer.status().stalledPartitions).toEqual([]);
      expect((await carry()).toSorted()).toEqual(raised.toSorted());
      expect(await service.ledger()).toHaveLength(24);
      expect(Object.values(byKey(await downstream.ledger())).map((n) => n.length)).toEqual(
        Array.from({ length: 24 }, () => 1),
      );
    } finally {
      await service.stop();
      await backup.drop();
      await downstream.stop();
      await downstreamBase.close();
    }
  });
});
