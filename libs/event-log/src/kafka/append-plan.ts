import { TransientError } from '@aura/platform';
import type { Lane } from '../admission.js';
import type { PartitionAck, PartitionFailure } from '../event-log.js';
import type { TopicLayout } from './topics.js';

/** What is still to be sent to one partition, in order: one chunk is one batch of the broker. */
export interface PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
  chunks: (readonly number[])[];
}

/** One partition's part of the answer to a produce request, as kafkajs gives it. */
export interface ProduceAnswer {
  readonly topicName: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset?: string;
}

/** Cuts each partition's admitted records into chunks of at most `maxBytes`; a larger record stands alone. */
export function planQueues(
  lanes: readonly Lane[],
  layouts: ReadonlyMap<string, TopicLayout>,
  bytesOf: (index: number) => number,
  maxBytes: number,
): PartitionQueue[] {
  return lanes.map(({ topic, partition, indexes }) => ({
    topic,
    partition,
    leader: layouts.get(topic)?.[partition] ?? -1,
    chunks: cut(indexes, bytesOf, maxBytes),
  }));
}

function cut(indexes: readonly number[], bytesOf: (index: number) => number, maxBytes: number): number[][] {
  const chunks: number[][] = [];
  let bytes = Infinity;
  for (const index of indexes) {
    bytes += bytesOf(index);
    const last = chunks.at(-1);
    if (last && bytes <= maxBytes) last.push(index);
    else {
      chunks.push([index]);
      bytes = bytesOf(index);
    }
  }
  return chunks;
}

/** The queues that still have something, by the broker that leads them: one request each. */
export function byLeader(queues: readonly PartitionQueue[]): PartitionQueue[][] {
  return [...Map.groupBy(queues, (q) => q.leader).values()];
}

/**
 * What an answer acknowledges of the first chunks of `sent`. A partition that the answer does not name is not
 * acknowledged, whatever the call resolved to: kafkajs resolves a send of which it has not sent everything
 * when a broker dies in it (tulios/kafkajs pull request 1798).
 */
export function acknowledgedBy(
  answer: readonly ProduceAnswer[],
  sent: readonly PartitionQueue[],
): { acks: PartitionAck[]; missing: PartitionQueue[] } {
  const acks: PartitionAck[] = [];
  const missing: PartitionQueue[] = [];
  for (const queue of sent) {
    const { topic, partition } = queue;
    const part = answer.find((a) => a.topicName === topic && a.partition === partition && a.errorCode === 0);
    const firstOffset = BigInt(part?.baseOffset ?? -1);
    if (firstOffset < 0n) missing.push(queue);
    else acks.push({ topic, partition, firstOffset, indexes: queue.chunks[0] ?? [] });
  }
  return { acks, missing };
}

/**
 * Halves the first chunk of a queue: the broker found it too large, which says nothing about a single record
 * of it.
 */
export function halveFirst(queue: PartitionQueue): void {
  const [first = [], ...rest] = queue.chunks;
  const middle = Math.ceil(first.length / 2);
  queue.chunks = [first.slice(0, middle), first.slice(middle), ...rest];
}

/**
 * Ends a queue with `error`. What stands behind a refused record was not sent either, for the order of its
 * keys' sake: it is to be tried again, so a terminal error names the refused chunk alone.
 */
export function fail(queue: PartitionQueue, error: Error, terminal: boolean): PartitionFailure[] {
  const { topic, partition } = queue;
  const [first = [], ...rest] = queue.chunks;
  queue.chunks = [];
  if (!terminal) return [{ topic, partition, indexes: [...first, ...rest.flat()], error }];
  const behind = rest.flat();
  const failures: PartitionFailure[] = [{ topic, partition, indexes: first, error }];
  if (behind.length > 0)
    failures.push({
      topic,
      partition,
      indexes: behind,
      error: new TransientError(
        `not sent: record ${first[0]} before them in ${topic}/${partition} was refused`,
      ),
    });
  return failures;
}
