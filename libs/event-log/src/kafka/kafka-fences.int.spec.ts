import { randomUUID } from 'node:crypto';
import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, describe, expect, it } from 'vitest';
import { PositionOutOfRangeError, UnknownTopicError } from '../errors.js';
import type { Batch, Position, SubscribeOptions, Subscription, TopicPartition } from '../event-log.js';
import { kafkaLog } from './kafka-log.js';

const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',');
const log = kafkaLog({ brokers, clientId: 'spec', logger: silentLogger });
const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
afterAll(async () => {
  await log.close();
  await admin.disconnect();
});

async function topicOf(partitions: number): Promise<string> {
  const name = `spec-${randomUUID()}`;
  await log.createTopics([{ name, partitions }]);
  return name;
}

/** Records that all go to one partition: `count` of one key, and where it lives. */
async function fill(topic: string, count: number, key = 'k'): Promise<TopicPartition> {
  const { acknowledged, failed } = await log.append(
    Array.from({ length: count }, (_, i) => ({ topic, key, value: Buffer.from(String(i)), headers: {} })),
  );
  expect(failed).toEqual([]);
  return { topic, partition: acknowledged[0]?.partition ?? -1 };
}

const end = (batch: Batch): Position => ({
  topic: batch.topic,
  partition: batch.partition,
  offset: (batch.records.at(-1)?.offset ?? -1n) + 1n,
});

/** As retention would: the records of `partition` below `offset` are gone. */
async function forget({ topic, partition }: TopicPartition, offset: number): Promise<void> {
  await admin.fetchTopicOffsets(topic); // it needs the topic's metadata
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
}

/** A subscriber that remembers; everything of it can be replaced. */
function subscriber(topics: string[], options: Partial<SubscribeOptions> = {}) {
  const seen = {
    offsets: [] as number[],
    units: [] as (readonly Batch[])[],
    partitionErrors: [] as Error[],
    errors: [] as Error[],
    revoked: [] as boolean[],
  };
  const subscribeOptions: SubscribeOptions = {
    group: `spec-${randomUUID()}`,
    topics,
    onAssigned: (partitions) => Promise.resolve(partitions.map((p) => ({ ...p, offset: 0n }))),
    onRevoked: (_, clean) => {
      seen.revoked.push(clean);
      return Promise.resolve();
    },
    onBatches: (batches) => {
      seen.units.push(batches);
      seen.offsets.push(...batches.flatMap((b) => b.records.map((r) => Number(r.offset))));
      return Promise.resolve(batches.map(end));
    },
    onPartitionError: (_, error) => seen.partitionErrors.push(error),
    onError: (error) => seen.errors.push(error),
    ...options,
  };
  return { seen, subscribe: () => log.subscribe(subscribeOptions) };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('placing', () => {
  it('H44: delivers nothing from before the position that an asynchronous onAssigned names', async () => {
    const topic = await topicOf(1);
    await fill(topic, 100);
    const { seen, subscribe } = subscriber([topic], {
      onAssigned: async (partitions) => {
        for (let i = 0; i < 20; i++) await log.bounds(topic); // long enough for kafkajs to fetch and deliver
        return partitions.map((p) => ({ ...p, offset: 50n }));
      },
    });
    const subscription = await subscribe();
    await settled('all records arrived', () => seen.offsets.includes(99));
    await subscription.stop();
    expect(seen.offsets).toEqual(range(50, 100));
  });

  it('H53: a position that retention has passed is an error; its partition stands, others flow', async () => {
    const topic = await topicOf(2);
    const old = await fill(topic, 100);
    const other = await fill(topic, 3, 'k1');
    expect(other.partition).not.toBe(old.partition);
    await forget(old, 60);
    const { seen, subscribe } = subscriber([topic], {
      onAssigned: (ps) =>
        Promise.resolve(ps.map((p) => ({ ...p, offset: p.partition === old.partition ? 50n : 0n }))),
    });
    const subscription = await subscribe();
    await settled('the error is told', () => seen.partitionErrors.length > 0);
    await settled('the other partition arrived', () => seen.offsets.includes(2));
    await fill(topic, 1);
    await fill(topic, 1, 'k1');
    await settled('the other partition flows', () => seen.offsets.includes(3));
    await subscription.stop();
    expect(seen.partitionErrors).toEqual([expect.any(PositionOutOfRangeError)]);
    expect(seen.offsets).toEqual(range(0, 4));
  });

  it('H53: a position that retention passes while the partition waits is no jump either', async () => {
    const topic = await topicOf(1);
    const partition = await fill(topic, 100);
    const subscribed = Promise.withResolvers<Subscription>();
    const { seen, subscribe } = subscriber([topic], {
      maxRecords: 50,
      onBatches: async (batches) => {
        (await subscribed.promise).pause([partition]);
        seen.offsets.push(...batches.flatMap((b) => b.records.map((r) => Number(r.offset))));
        return batches.map(end);
      },
    });
    const subscription = await subscribe();
    subscribed.resolve(subscription);
    await settled('half of it arrived', () => seen.offsets.length > 0);
    await forget(partition, 60);
    subscription.resume([partition]);
    await settled('the error is told', () => seen.partitionErrors.length > 0);
    await subscription.stop();
    expect(seen.partitionErrors).toEqual([expect.any(PositionOutOfRangeError)]);
    expect(seen.offsets).toEqual(range(0, 50));
  });

  it('H53: a position beyond the end is an error, not a wait for other records', async () => {
    const topic = await topicOf(1);
    await fill(topic, 5);
    const { seen, subscribe } = subscriber([topic], {
      onAssigned: (ps) => Promise.resolve(ps.map((p) => ({ ...p, offset: 500n }))),
    });
    const subscription = await subscribe();
    await settled('the error is told', () => seen.partitionErrors.length > 0);
    await subscription.stop();
    expect(seen.partitionErrors).toEqual([expect.any(PositionOutOfRangeError)]);
    expect(seen.offsets).toEqual([]);
  });
});

describe('units', () => {
  it('H45: a unit of 8 s in a session of 6 s runs once', async () => {
    const topic = await topicOf(1);
    await fill(topic, 1);
    const runs: number[] = [];
    const { seen, subscribe } = subscriber([topic], {
      sessionTimeoutMs: 6_000,
      onBatches: async (batches) => {
        runs.push(...batches.flatMap((b) => b.records.map((r) => Number(r.offset))));
        // The length of a unit is what this is about; nothing waits for it.
        if (runs.length === 1) await new Promise((resolve) => setTimeout(resolve, 8_000));
        return batches.map(end);
      },
    });
    const subscription = await subscribe();
    await settled('the unit began', () => runs.length > 0);
    await fill(topic, 1);
    await settled('the next record arrived', () => runs.includes(1), { withinMs: 40_000 });
    expect(runs).toEqual([0, 1]);
    expect(seen.errors).toEqual([]);
    expect(seen.revoked).toEqual([]);
    await subscription.stop();
  });

  it('H45: a unit that outlasts its session while another member joins keeps its partitions', async () => {
    const topic = await topicOf(1);
    await fill(topic, 1);
    const shared = { group: `spec-${randomUUID()}`, sessionTimeoutMs: 6_000 };
    const asked = Promise.withResolvers<void>();
    const runs: string[] = [];
    const slow = subscriber([topic], {
      ...shared,
      onBatches: async (batches) => {
        runs.push('slow');
        await asked.promise;
        // Longer than a session after the other has asked to join: its length is what this is about.
        await new Promise((resolve) => setTimeout(resolve, 8_000));
        runs.push('slow ended');
        return batches.map(end);
      },
    });
    const assigned = (partitions: readonly TopicPartition[]): Promise<Position[]> => {
      if (partitions.length > 0) runs.push('other assigned');
      return Promise.resolve(partitions.map((p) => ({ ...p, offset: 1n })));
    };
    const other = subscriber([topic], { ...shared, onAssigned: assigned });
    const first = await slow.subscribe();
    await settled('the unit began', () => runs.length > 0);
    const second = await other.subscribe();
    asked.resolve();
    await settled('the unit ended', () => runs.includes('slow ended'), { withinMs: 40_000 });
    expect(runs).toEqual(['slow', 'slow ended']);
    await first.stop();
    await settled('the partition went over', () => runs.includes('other assigned'), { withinMs: 40_000 });
    await second.stop();
  });

  it('takes what has arrived of all partitions as one unit (C4)', async () => {
    const topic = await topicOf(6);
    for (let i = 0; i < 60; i++) await fill(topic, 1, `key-${i}`);
    const { seen, subscribe } = subscriber([topic]);
    const subscription = await subscribe();
    await settled('all records arrived', () => seen.offsets.length >= 60);
    await subscription.stop();
    expect(seen.units.length).toBeLessThan(6);
    expect(seen.units[0]?.length).toBeGreaterThan(1);
  });

  it('L6: a TypeError of a callback stops nobody (C5)', async () => {
    const topic = await topicOf(1);
    await fill(topic, 3);
    let failures = 0;
    const fails = (): void => {
      failures += 1;
      if (failures % 2 === 1) throw new TypeError(`on purpose ${failures}`);
    };
    const { seen, subscribe } = subscriber([topic], {
      onAssigned: async (ps) => {
        await log.bounds(topic);
        fails();
        return ps.map((p) => ({ ...p, offset: 0n }));
      },
      onBatches: (batches) => {
        fails();
        seen.offsets.push(...batches.flatMap((b) => b.records.map((r) => Number(r.offset))));
        return Promise.resolve(batches.map(end));
      },
      onRevoked: () => Promise.reject(new TypeError('on purpose')),
      onError: () => {
        throw new TypeError('on purpose');
      },
    });
    const subscription = await subscribe();
    await settled('the first records arrived', () => seen.offsets.includes(2));
    await fill(topic, 1);
    await settled('later ones too', () => seen.offsets.includes(3));
    expect(subscription.healthy()).toBe(true);
    await subscription.stop();
    expect(seen.offsets).toEqual([0, 1, 2, 3]);
  });
});

describe('topics', () => {
  it('waits for a topic that is missing, says so, and lets the others flow', async () => {
    const topic = await topicOf(1);
    const late = `spec-${randomUUID()}`;
    await fill(topic, 1);
    const { seen, subscribe } = subscriber([topic, late]);
    const subscription = await subscribe();
    await settled('the topic that is there flows', () => seen.offsets.length === 1);
    expect(seen.errors).toContainEqual(expect.any(UnknownTopicError));
    await log.createTopics([{ name: late, partitions: 1 }]);
    await fill(late, 2);
    await settled('the late topic flows', () => seen.units.flat().some((b) => b.topic === late));
    await subscription.stop();
  });

  it('tells of a topic that vanished, and lets the others flow', async () => {
    const [topic, doomed] = [await topicOf(1), await topicOf(1)];
    await fill(doomed, 1);
    const { seen, subscribe } = subscriber([topic, doomed]);
    const subscription = await subscribe();
    await settled('it flows', () => seen.offsets.length === 1);
    await admin.deleteTopics({ topics: [doomed] });
    await settled('the loss is told', () => seen.partitionErrors.length > 0);
    expect(seen.partitionErrors).toEqual([expect.any(UnknownTopicError)]);
    await fill(topic, 1);
    await settled('the other topic flows', () => seen.units.flat().some((b) => b.topic === topic));
    await subscription.stop();
  });
});
