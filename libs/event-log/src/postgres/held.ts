import type { TopicPartition } from '../event-log.js';

/** A partition that this member owns. */
export interface Held extends TopicPartition {
  /** Undefined until onAssigned placed it, and for one that it left out. */
  position: bigint | undefined;
  placed: boolean;
  paused: boolean;
  failed: boolean;
  /** Counts seeks: what was read or handled before one must not move the partition after it (S3). */
  seeks: number;
}

export const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;
export const named = ({ topic, partition }: TopicPartition): TopicPartition => ({ topic, partition });
export const fresh = ({ topic, partition }: TopicPartition): Held => ({
  topic,
  partition,
  position: undefined,
  placed: false,
  paused: false,
  failed: false,
  seeks: 0,
});

/** So that with large records, which cut a read short, another partition comes first each time. */
export function rotated<T>(items: readonly T[], turn: number): T[] {
  const from = items.length === 0 ? 0 : turn % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}
