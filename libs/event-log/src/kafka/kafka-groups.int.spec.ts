import { randomUUID } from 'node:crypto';
import { kindOf, silentLogger } from '@aura/platform';
import { seeded, settled } from '@aura/testing';
import { afterAll, describe, expect, it } from 'vitest';
import type { Subscription, TopicPartition } from '../event-log.js';
import { partitionKey } from './fence.js';
import { kafkaLog } from './kafka-log.js';

const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',');
const log = kafkaLog({ brokers, clientId: 'spec', logger: silentLogger });
afterAll(() => log.close());

/** What a service's database does: offsets, epochs and effects of one group, changed together. */
class Ledger {
  readonly effects: string[] = [];
  readonly overlaps: string[] = [];
  readonly unclean: TopicPartition[] = [];
  readonly #rows = new Map<string, { next: bigint; epoch: number }>();

  claim(partitions: readonly TopicPartition[]): Map<string, number> {
    return new Map(
      partitions.map((p) => {
        const row = this.#row(p);
        row.epoch += 1;
        return [partitionKey(p), row.epoch];
      }),
    );
  }

  next(partition: TopicPartition): bigint {
    return this.#row(partition).next;
  }

  /** One record's effect, unless another member has claimed its partition since. */
  apply(partition: TopicPartition, offset: bigint, value: string, epoch: number | undefined): void {
    const row = this.#row(partition);
    if (row.epoch !== epoch) {
      this.overlaps.push(value);
      return;
    }
    if (offset !== row.next)
      throw new Error(`${partitionKey(partition)}: ${offset} came instead of ${row.next}`);
    row.next = offset + 1n;
    this.effects.push(value);
  }

  #row(partition: TopicPartition): { next: bigint; epoch: number } {
    const key = partitionKey(partition);
    const row = this.#rows.get(key) ?? { next: 0n, epoch: 0 };
    this.#rows.set(key, row);
    return row;
  }
}

async function join(group: string, topic: string, ledger: Ledger, errors: Error[]): Promise<Subscription> {
  const epochs = new Map<string, number>();
  return log.subscribe({
    group,
    topics: [topic],
    maxRecords: 20,
    onAssigned: (partitions) => {
      epochs.clear();
      for (const [key, epoch] of ledger.claim(partitions)) epochs.set(key, epoch);
      return Promise.resolve(partitions.map((p) => ({ ...p, offset: ledger.next(p) })));
    },
    onRevoked: (partitions, clean) => {
      if (!clean) ledger.unclean.push(...partitions);
      return Promise.resolve();
    },
    onBatches: (batches) => {
      for (const batch of batches)
        for (const { offset, value } of batch.records)
          ledger.apply(batch, offset, value.toString(), epochs.get(partitionKey(batch)));
      return Promise.resolve(
        batches.map((b) => ({
          topic,
          partition: b.partition,
          offset: (b.records.at(-1)?.offset ?? -1n) + 1n,
        })),
      );
    },
    onPartitionError: (_, error) => errors.push(error),
    onError: (error) => errors.push(error),
  });
}

describe('a group', () => {
  it(
    'L4, L5: applies every record once and in order while members come and go',
    { timeout: 240_000 },
    async () => {
      const random = seeded('kafka-groups');
      const [topic, group] = [`spec-${randomUUID()}`, `spec-${randomUUID()}`];
      await log.createTopics([{ name: topic, partitions: 6 }]);
      const ledger = new Ledger();
      const errors: Error[] = [];
      const members: Subscription[] = [await join(group, topic, ledger, errors)];
      let sent = 0;
      const send = async (): Promise<void> => {
        const records = Array.from({ length: 1 + random.int(60) }, () => {
          const value = String(sent++);
          return { topic, key: `key-${random.int(20)}`, value: Buffer.from(value), headers: {} };
        });
        expect((await log.append(records)).failed).toEqual([]);
      };
      // Of a topic that was just made some leaders may not be known yet: kafkajs then joins again without a
      // word before (STALE_METADATA_ERRORS). Once all is read, that is over.
      for (let n = 0; n < 20; n++) await send();
      await settled('the topic is read', () => ledger.effects.length === sent, { withinMs: 60_000 });
      ledger.unclean.length = 0;
      for (let round = 0; round < 8; round++) {
        await send();
        const grow = members.length === 1 || (members.length < 3 && random.chance(0.5));
        if (grow) members.push(await join(group, topic, ledger, errors));
        else await members.splice(random.int(members.length), 1)[0]?.stop();
        await send();
        const wanted = sent;
        await settled(`round ${round} is applied`, () => ledger.effects.length === wanted, {
          withinMs: 60_000,
        });
      }
      await settled(
        'each partition has one owner',
        () => {
          const owned = members.flatMap((m) => m.assigned().map(partitionKey));
          return owned.length === 6 && new Set(owned).size === 6;
        },
        { withinMs: 60_000 },
      );
      await Promise.all(members.map((m) => m.stop()));
      expect(new Set(ledger.effects).size).toBe(sent);
      expect(ledger.effects).toHaveLength(sent);
      expect(ledger.unclean).toEqual([]);
      expect(errors.filter((error) => kindOf(error) !== 'transient')).toEqual([]); // L6: those pass
    },
  );
});
