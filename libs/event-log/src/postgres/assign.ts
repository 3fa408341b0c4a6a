import type { TopicPartition } from '../event-log.js';

export interface Candidate {
  readonly id: string;
  readonly topics: readonly string[];
}

export interface Target extends TopicPartition {
  /** Undefined where no member subscribes to the topic. */
  readonly member: string | undefined;
}

/**
 * Who is to have which partition: round robin over the partitions in (topic, partition) order and the members
 * in the order of their ids, a member that does not subscribe to the topic being passed over (as Kafka's
 * RoundRobinAssignor).
 *
 * Depends on nothing but its input: whichever member computes it gets the same.
 */
export function assign(members: readonly Candidate[], partitions: readonly TopicPartition[]): Target[] {
  const ring = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const sorted = partitions.toSorted((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  );
  let next = 0;
  return sorted.map(({ topic, partition }) => {
    for (let tried = 0; tried < ring.length; tried++) {
      const member = ring[next++ % ring.length];
      if (member?.topics.includes(topic)) return { topic, partition, member: member.id };
    }
    return { topic, partition, member: undefined };
  });
}
