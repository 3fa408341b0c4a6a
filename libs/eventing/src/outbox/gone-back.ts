/**
 * Signs that a topic went back, or changed its partitions, under a leader that publishes to it (E10). A sign
 * is no finding: the leader gives up without a save, and the next one compares what was saved.
 */
import { partitionOf, type EventLog } from '@aura/event-log';
import { TransientError } from '@aura/platform';
import type { PartitionMark } from './marks.js';
import type { AcknowledgedRows } from './publishing.js';

interface Marks {
  markOf(topic: string, partition: number): PartitionMark | undefined;
}

/**
 * Asked before a partition that had failed is sent to again: undefined where its topic reaches as far as it
 * did, and where the log does not say. (Another partition may be why it does not: that must not hold this
 * one. Then `impossible` sees it, after the first append.)
 */
export async function tailLost(
  log: Pick<EventLog, 'bounds'>,
  topics: ReadonlySet<string>,
  cursor: { readonly marks: readonly PartitionMark[] },
): Promise<TransientError | undefined> {
  // Before the log is asked: what other partitions acknowledge meanwhile may lie behind its answer.
  const marks = cursor.marks.filter(({ topic }) => topics.has(topic));
  try {
    for (const topic of topics) {
      const ends = new Map((await log.bounds(topic)).map(({ partition, end }) => [partition, end]));
      for (const { partition, offset } of marks.filter((mark) => mark.topic === topic)) {
        const end = ends.get(partition);
        if (end !== undefined && end <= offset) return lostTail(topic, partition, end, offset);
      }
    }
  } catch {
    return undefined; // the append finds out by itself
  }
  return undefined;
}

/** An acknowledgement that could not be, had the topic not changed. */
export function impossible(
  acks: readonly AcknowledgedRows[],
  marks: Marks,
  lanes: { partitionsOf(topic: string): number | undefined },
): TransientError | undefined {
  for (const { topic, partition, offset, positions, keys } of acks) {
    const mark = marks.markOf(topic, partition);
    const first = offset - BigInt(positions.length) + 1n;
    if (mark && first <= mark.offset) return lostTail(topic, partition, first, mark.offset);
    const partitions = lanes.partitionsOf(topic) ?? 1;
    if (keys.some((key) => partitionOf(key, partitions) !== partition))
      return new TransientError(
        `${topic}/${partition} took a key that belongs elsewhere with ${partitions} partitions: ` +
          'the topic has other partitions now',
      );
  }
  return undefined;
}

function lostTail(topic: string, partition: number, end: bigint, acknowledged: bigint): TransientError {
  return new TransientError(
    `${topic}/${partition} goes on at offset ${end}, but offset ${acknowledged} was acknowledged: ` +
      'the log lost records under this relay; it compares anew what was saved',
  );
}
