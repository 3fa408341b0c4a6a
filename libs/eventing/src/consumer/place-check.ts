/**
 * Pure: whether a partition may go on from where its group's database says (E10). What time took back is
 * said and waited with; nothing is guessed.
 */
import {
  PositionOutOfRangeError,
  type PartitionBounds,
  type Position,
  type TopicPartition,
} from '@aura/event-log';
import { InvariantError } from '@aura/platform';

/** The log has records of before, this database does not know that its group was ever here. */
export class ForgottenGroupError extends InvariantError {
  constructor(group: string, { topic, partition }: TopicPartition, why: string, first: bigint) {
    super(
      `the database of ${group} has no position in ${topic}/${partition}, but ${why}: it was lost, or ` +
        'restored from before this group. Its inbox and the effects of these events are gone as well. ' +
        `Restore the database, or start it from what the log still has (from ${first}): ` +
        `\`npm run aura -- groups move --topic ${topic} --partition ${partition} --to first --reason "…"\``,
    );
  }
}

/** What the log says of a partition, and of the group in it. */
export interface LogView {
  readonly bounds: PartitionBounds;
  /** The log's own copy of the group's position; undefined where it knows nothing. */
  readonly committed: bigint | undefined;
  /** Whether the database has positions of other partitions of the topic, or the log has. */
  readonly othersKnown: boolean;
}

/**
 * Where a partition starts that the database has no position of: at the first record kept when the group,
 * or the partition, is new.
 */
export function startWithoutRow(
  group: string,
  at: TopicPartition,
  { bounds, committed, othersKnown }: LogView,
): bigint | ForgottenGroupError {
  const { first } = bounds;
  if (committed !== undefined && committed > 0n)
    return new ForgottenGroupError(group, at, `the log knows that it had read up to ${committed}`, first);
  if (othersKnown && first > 0n)
    return new ForgottenGroupError(
      group,
      at,
      `it reads other partitions of the topic, and this one is old enough to begin at ${first}`,
      first,
    );
  return first;
}

/** Whether the log still has what comes next. */
export function outOfRange(
  position: Position,
  { first, end }: PartitionBounds,
): PositionOutOfRangeError | undefined {
  return position.offset < first || position.offset > end
    ? new PositionOutOfRangeError(position, { first, end })
    : undefined;
}
