import type { TopicPartition } from '../event-log.js';

/** What a fetched batch is, seen from where its partition should stand. */
export type Verdict = 'expected' | 'unplaced' | 'elsewhere';

interface Place {
  offset: bigint;
  /** Changes with every move that did not come from delivery: what a unit says about an older one is void. */
  version: number;
}

/**
 * Where each partition of a member must go on (pure).
 *
 * - F1 records are delivered only from a partition that was placed in this generation (hole H44: kafkajs
 *   delivers before an asynchronous seek), and only if they were fetched from where it stands;
 * - F2 a partition whose fetch came from elsewhere is never followed (hole H53: kafkajs answers a position
 *   outside the log by a jump to its beginning): somebody has to look at the log's bounds.
 */
export class Fence {
  readonly #places = new Map<string, Place>();
  #version = 0;

  place(partition: TopicPartition, offset: bigint): void {
    this.#places.set(partitionKey(partition), { offset, version: ++this.#version });
  }

  /** Moves on after delivery. Void, and false, where the partition was placed anew since `version`. */
  advance(partition: TopicPartition, offset: bigint, version: number): boolean {
    const place = this.#places.get(partitionKey(partition));
    if (!place || place.version !== version) return false;
    place.offset = offset;
    return true;
  }

  position(partition: TopicPartition): Readonly<Place> | undefined {
    return this.#places.get(partitionKey(partition));
  }

  remove(partition: TopicPartition): void {
    this.#places.delete(partitionKey(partition));
  }

  clear(): void {
    this.#places.clear();
  }

  judge(partition: TopicPartition, fetchedFrom: bigint): Verdict {
    const place = this.#places.get(partitionKey(partition));
    if (!place) return 'unplaced';
    return place.offset === fetchedFrom ? 'expected' : 'elsewhere';
  }
}

export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
