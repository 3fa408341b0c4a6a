import { randomUUID } from 'node:crypto';
import { kindOf, silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { startKafka, startTestKafka } from '../../../../tools/infra/kafka.mjs';
import { expect, it } from 'vitest';
import type { NewRecord } from '../event-log.js';
import { kafkaLog } from './kafka-log.js';

it('goes on by itself when the broker was killed and comes back', { timeout: 300_000 }, async () => {
  const kafka = await startTestKafka({ registry: false });
  const log = kafkaLog({ brokers: kafka.brokers.split(','), clientId: 'spec', logger: silentLogger });
  const topic = `spec-${randomUUID()}`;
  const seen: string[] = [];
  const errors: Error[] = [];
  const next = new Map<number, bigint>();
  const record = (value: string): NewRecord => ({ topic, key: 'k', value: Buffer.from(value), headers: {} });
  try {
    await log.createTopics([{ name: topic, partitions: 2 }]);
    const subscription = await log.subscribe({
      group: `spec-${randomUUID()}`,
      topics: [topic],
      sessionTimeoutMs: 3_000,
      onAssigned: (ps) => Promise.resolve(ps.map((p) => ({ ...p, offset: next.get(p.partition) ?? 0n }))),
      onRevoked: () => Promise.resolve(),
      onBatches: (batches) => {
        seen.push(...batches.flatMap((b) => b.records.map((r) => r.value.toString())));
        for (const { partition, records } of batches)
          next.set(partition, (records.at(-1)?.offset ?? -1n) + 1n);
        return Promise.resolve(
          batches.map(({ partition }) => ({ topic, partition, offset: next.get(partition) ?? 0n })),
        );
      },
      onPartitionError: (_, error) => errors.push(error),
      onError: () => undefined,
    });
    expect((await log.append([record('before')])).failed).toEqual([]);
    await settled('it flows', () => seen.includes('before'));
    await kafka.kill();
    const away = await log.append([record('lost')]).then(
      ({ failed }) => failed[0]?.error,
      (error: unknown) => error,
    );
    expect(kindOf(away)).toBe('transient');
    await settled('the member knows', () => !subscription.healthy(), { withinMs: 60_000 });
    await startKafka({ dir: kafka.dir, registry: false });
    await settled(
      'appends go through again',
      async () => (await log.append([record('after')])).acknowledged.length === 1,
      { withinMs: 60_000, everyMs: 100 },
    );
    await settled('it flows again', () => seen.includes('after'), { withinMs: 60_000 });
    expect(subscription.healthy()).toBe(true);
    expect(seen.filter((value) => value === 'before')).toEqual(['before']);
    expect(errors).toEqual([]);
  } finally {
    await log.close();
    await kafka.stop();
  }
});
