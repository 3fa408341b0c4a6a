import { randomUUID } from 'node:crypto';
import { kindOf, silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killBroker, startKafka, startTestKafka } from '../../../../tools/infra/kafka.mjs';
import type { Batch, EventLog, NewRecord, Subscription, TopicPartition } from '../event-log.js';
import { partitionOf } from '../partition-of.js';
import { partitionKey } from './fence.js';
import { kafkaLog } from './kafka-log.js';

const record = (topic: string, key: string, value: string): NewRecord => ({
  topic,
  key,
  value: Buffer.from(value),
  headers: {},
});

async function valuesOf(log: EventLog, topic: string): Promise<string[]> {
  const values: string[] = [];
  for (const { partition, first, end } of await log.bounds(topic))
    for await (const { value } of log.scan(topic, partition, first, end)) values.push(value.toString());
  return values;
}

/** What a service's database does for two members: one owner by epoch, positions and effects together. */
class Database {
  readonly effects: string[] = [];
  readonly refused: string[] = [];
  readonly #rows = new Map<string, { next: bigint; epoch: number }>();

  claim(partition: TopicPartition): { next: bigint; epoch: number } {
    const key = partitionKey(partition);
    const row = this.#rows.get(key) ?? { next: 0n, epoch: 0 };
    this.#rows.set(key, row);
    row.epoch += 1;
    return { ...row };
  }

  apply(batch: Batch, epoch: number | undefined): void {
    const row = this.#rows.get(partitionKey(batch));
    const values = batch.records.map(({ value }) => value.toString());
    if (!row || row.epoch !== epoch) this.refused.push(...values);
    else {
      expect(batch.records[0]?.offset).toBe(row.next);
      row.next += BigInt(batch.records.length);
      this.effects.push(...values);
    }
  }
}

/** A member whose units do nothing until `mayEnd` resolves. */
class BusyMember {
  readonly seen: string[] = [];
  readonly unclean: TopicPartition[] = [];
  readonly errors: Error[] = [];
  readonly #epochs = new Map<string, number>();
  running = 0;
  signal: AbortSignal | undefined;

  constructor(
    private readonly database: Database,
    private readonly mayEnd: Promise<void>,
  ) {}

  join(log: EventLog, group: string, topic: string): Promise<Subscription> {
    return log.subscribe({
      group,
      topics: [topic],
      onAssigned: (partitions) =>
        Promise.resolve(
          partitions.map((partition) => {
            const { next, epoch } = this.database.claim(partition);
            this.#epochs.set(partitionKey(partition), epoch);
            return { ...partition, offset: next };
          }),
        ),
      onRevoked: (partitions, clean) => {
        if (!clean) this.unclean.push(...partitions);
        return Promise.resolve();
      },
      onBatches: async (batches, { signal }) => {
        this.signal = signal;
        const epochs = batches.map((batch) => this.#epochs.get(partitionKey(batch)));
        this.seen.push(...batches.flatMap((b) => b.records.map(({ value }) => value.toString())));
        this.running += 1;
        await this.mayEnd;
        this.running -= 1;
        batches.forEach((batch, at) => this.database.apply(batch, epochs[at]));
        return batches.map(({ partition, records }) => ({
          topic,
          partition,
          offset: (records.at(-1)?.offset ?? -1n) + 1n,
        }));
      },
      onPartitionError: (_, error) => this.errors.push(error),
      onError: (error) => this.errors.push(error),
    });
  }
}

describe.skipIf(!process.env['KAFKA_BROKERS'])('three brokers', { timeout: 120_000 }, () => {
  let kafka: Awaited<ReturnType<typeof startTestKafka>>;
  let admin: Admin;
  let log: EventLog;

  beforeAll(async () => {
    kafka = await startTestKafka({ registry: false, brokers: 3 });
    const brokers = kafka.brokers.split(',');
    log = kafkaLog({ brokers, clientId: 'spec', logger: silentLogger });
    admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  }, 240_000);
  afterAll(async () => {
    await admin?.disconnect();
    await log?.close();
    await kafka?.stop();
  });

  it('a topic gets the copies that the brokers keep by default', async () => {
    const topic = `spec-${randomUUID()}`;
    await log.createTopics([{ name: topic, partitions: 3 }]);
    expect(await log.settings(topic)).toMatchObject({
      brokers: 3,
      replicationFactor: 3,
      inSyncReplicas: 3,
      minInsyncReplicas: 2,
      uncleanLeaderElection: false,
      cleanupPolicy: 'delete',
    });
  });

  it('H46: a member that rejoins in its unit has a second owner beside it: every effect once', async () => {
    const topic = `spec-${randomUUID()}`;
    const group = `spec-${randomUUID()}`;
    const replicaAssignment = [1, 1, 2].map((replica, partition) => ({ partition, replicas: [replica] }));
    await admin.createTopics({ topics: [{ topic, replicaAssignment }] });
    // Nothing in the third partition: its broker's fetch goes on while the unit of the others lasts.
    const wanted = Array.from({ length: 60 }, (_, i) => String(i)).filter(
      (value) => partitionOf(`k${value}`, 3) !== 2,
    );
    expect((await log.append(wanted.map((value) => record(topic, `k${value}`, value)))).failed).toEqual([]);
    const database = new Database();
    const end = Promise.withResolvers<void>();
    const first = new BusyMember(database, end.promise);
    const second = new BusyMember(database, Promise.resolve());
    const subscriptions = [await first.join(log, group, topic)];
    try {
      await settled('the first has a unit of all', () => first.running === 1 && first.seen.length > 0);
      subscriptions.push(await second.join(log, group, topic));
      const partitionAssignment = [{ partition: 2, replicas: [3] }];
      await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
      await settled('two owners', () => first.running === 1 && second.seen.length > 0, { withinMs: 50_000 });
      const twice = second.seen.filter((value) => first.seen.includes(value));
      expect(twice.length).toBeGreaterThan(0);
      expect(first.signal?.aborted).toBe(true);
      end.resolve();
      await settled('all effects', () => database.effects.length >= wanted.length, { withinMs: 50_000 });
      expect(database.effects.toSorted()).toEqual(wanted.toSorted());
      expect(database.refused.length).toBeGreaterThan(0);
      expect(first.unclean.length).toBeGreaterThan(0);
    } finally {
      end.resolve();
      await Promise.all(subscriptions.map((s) => s.stop()));
    }
  });

  it('H30: too few copies in step: a passing fault; the record is there once they are back', async () => {
    const topic = `spec-${randomUUID()}`;
    const configEntries = [{ name: 'min.insync.replicas', value: '3' }];
    await admin.createTopics({
      topics: [{ topic, numPartitions: 3, replicationFactor: 3, configEntries }],
      waitForLeaders: true,
    });
    const records = Array.from({ length: 12 }, (_, i) => record(topic, `k${i}`, String(i)));
    expect((await log.append(records)).failed).toEqual([]);
    await killBroker({ dir: kafka.dir, id: 3 });
    await settled('a copy is missing', async () => (await log.settings(topic)).inSyncReplicas === 2, {
      withinMs: 60_000,
    });
    const late = records.map((r, i) => ({ ...r, value: Buffer.from(`late ${i}`) }));
    const refused = await log.append(late).catch((error: unknown) => error);
    const errors =
      refused instanceof Error
        ? [refused]
        : (refused as Awaited<ReturnType<EventLog['append']>>).failed.map(({ error }) => error);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.map(kindOf)).toEqual(errors.map(() => 'transient'));
    await startKafka({ dir: kafka.dir, brokers: 3, registry: false });
    await settled('appended', async () => (await log.append(late)).failed.length === 0, {
      withinMs: 60_000,
    });
    const kept = new Set(await valuesOf(log, topic));
    const all = [...records, ...late].map(({ value }) => value.toString());
    expect(all.filter((value) => !kept.has(value))).toEqual([]);
  });
});
