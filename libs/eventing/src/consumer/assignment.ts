/**
 * Where the partitions of a member start, and whether they may.
 *
 * A1 the service's database decides (H5); the log's own copy of positions is only compared with it;
 * A2 what the log no longer has, does not have yet, or knows of a group that this database has forgotten
 *    stands still and says so (E10): never an automatic reset;
 * A3 while the group is paused everything stands still (H22);
 * A4 what an owner had under way that ended without a release is gone through carefully (H21).
 */
import { UnknownTopicError, type EventLog, type PartitionBounds, type TopicPartition } from '@aura/event-log';
import type { Logger } from '@aura/platform';
import type { PoolClient } from 'pg';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { findPause, GroupPausedError, type GroupPause } from './group-pause.js';
import {
  knownPartitions,
  placePartitions,
  releasePartitions,
  takePartitions,
  type OwnedPosition,
  type TakenPosition,
} from './offsets.js';
import { keyOf, type Assigned } from './ownership.js';
import { outOfRange, startWithoutRow } from './place-check.js';
import { slowStart } from './slow-start.js';
import { transact } from './transact.js';

export interface AssignmentOptions {
  readonly group: string;
  /** Names this process, and no other of before: whoever else had a partition may have crashed. */
  readonly owner: string;
  readonly log: EventLog;
  readonly units: UnitOfWorkContext;
  readonly logger: Logger;
  /** Records of one unit at most. */
  readonly unitRecords: number;
}

/** What the log knows of one topic. */
interface TopicView {
  readonly bounds: ReadonlyMap<number, PartitionBounds>;
  /** The log's copy of this group's positions. */
  readonly committed: ReadonlyMap<number, bigint>;
}

/** A topic that the log does not have maps to the error that says so. */
type LogViews = ReadonlyMap<string, TopicView | UnknownTopicError>;

export class Assignment {
  constructor(private readonly options: AssignmentOptions) {}

  /**
   * Raises the epochs of `partitions` (P1); gives where each stands and, where it must stand still, why.
   * Rejects while the database or the log is away: the caller asks again.
   */
  async take(partitions: readonly TopicPartition[]): Promise<Assigned[]> {
    const { units, group } = this.options;
    const views = await this.#ask([...new Set(partitions.map(({ topic }) => topic))]);
    const assigned = await transact(units, `the assignment of partitions to ${group}`, (client) =>
      this.#take(client, partitions, views),
    );
    for (const each of assigned) this.#tell(each);
    return assigned;
  }

  /** Marks that nothing of them is under way, so that their next owner may go at full speed. */
  async release(owned: readonly OwnedPosition[]): Promise<void> {
    const { units, group } = this.options;
    await transact(units, `the release of partitions of ${group}`, (client) =>
      releasePartitions(client, group, owned),
    );
  }

  async #ask(topics: readonly string[]): Promise<LogViews> {
    const views = await Promise.all(topics.map(async (topic) => [topic, await this.#view(topic)] as const));
    return new Map(views);
  }

  async #view(topic: string): Promise<TopicView | UnknownTopicError> {
    const { log, group } = this.options;
    try {
      const [bounds, committed] = await Promise.all([log.bounds(topic), log.groupOffsets(group, topic)]);
      return {
        bounds: new Map(bounds.map((b) => [b.partition, b])),
        committed: new Map(committed.map((c) => [c.partition, c.offset])),
      };
    } catch (error) {
      if (error instanceof UnknownTopicError) return error;
      throw error;
    }
  }

  async #take(
    client: PoolClient,
    partitions: readonly TopicPartition[],
    views: LogViews,
  ): Promise<Assigned[]> {
    const { group, owner, unitRecords } = this.options;
    const forgotten = await this.#place(client, partitions, views);
    const ends = partitions.map((at) => ({ ...at, offset: boundsIn(views, at)?.end ?? 0n }));
    const taken = await takePartitions(client, group, owner, ends, unitRecords);
    const pause = await findPause(client, group);
    const byKey = new Map(taken.map((position) => [keyOf(position), position]));
    return partitions.map((at) => {
      const position = byKey.get(keyOf(at));
      return position
        ? this.#judge(position, views, pause)
        : standing(at, forgotten.get(keyOf(at)) ?? new UnknownTopicError(at.topic));
    });
  }

  /**
   * P4. Gives rows to what has none: to the whole topic where the group is new. Gives the errors of those
   * that must not start, by partition.
   */
  async #place(
    client: PoolClient,
    partitions: readonly TopicPartition[],
    views: LogViews,
  ): Promise<Map<string, Error>> {
    const { group, logger, log } = this.options;
    const rows = await knownPartitions(client, group, [...views.keys()]);
    const known = new Set(rows.map(keyOf));
    const knownTopics = new Set(rows.map(({ topic }) => topic));
    const refused = new Map<string, Error>();
    for (const [topic, view] of views) {
      if (view instanceof UnknownTopicError) continue;
      const isNew = !knownTopics.has(topic) && [...view.committed.values()].every((offset) => offset === 0n);
      const mine = partitions.filter((p) => p.topic === topic).map(({ partition }) => partition);
      const starts = [];
      for (const partition of isNew ? view.bounds.keys() : mine) {
        const bounds = view.bounds.get(partition);
        if (known.has(keyOf({ topic, partition })) || !bounds) continue;
        const committed = view.committed.get(partition);
        const start = startWithoutRow(
          group,
          { topic, partition },
          { bounds, committed, othersKnown: !isNew },
        );
        if (start instanceof Error) refused.set(keyOf({ topic, partition }), start);
        else starts.push({ topic, partition, offset: start });
      }
      if (starts.length === 0) continue;
      await placePartitions(client, group, starts);
      logger.info({ group, topic, log: log.kind }, 'consumer: new here, starts at the first record kept');
    }
    return refused;
  }

  #judge(position: TakenPosition, views: LogViews, pause: GroupPause | undefined): Assigned {
    const { group } = this.options;
    const { topic, partition, offset, epoch, highWater, suspectUntil, startedUntil } = position;
    const bounds = boundsIn(views, position);
    const committed = committedIn(views, position);
    const error = bounds ? outOfRange(position, bounds) : new UnknownTopicError(topic);
    return {
      topic,
      partition,
      offset,
      epoch,
      standing: error ?? (pause ? new GroupPausedError(group, pause) : undefined),
      slow: slowStart(offset, suspectUntil, startedUntil),
      end: bounds?.end,
      rereadsUntil: committed !== undefined && committed > highWater ? committed : undefined,
    };
  }

  #tell({ topic, partition, offset, standing: error, rereadsUntil, slow }: Assigned): void {
    const { group, logger } = this.options;
    const at = { group, topic, partition, offset: `${offset}` };
    if (error) logger.error({ err: error, ...at }, 'consumer: a partition stands still, it is not moved');
    if (rereadsUntil !== undefined)
      logger.warn(
        { ...at, until: `${rereadsUntil}` },
        'consumer: the log says that this group has read further than its database knows: the ' +
          'database went back, or its process ended before it saved what nobody wanted. It reads again; ' +
          'what was applied is dropped, what was lost is applied',
      );
    if (slow)
      logger.warn(
        { ...at, until: `${slow.until}` },
        'consumer: the last owner ended without a release, its records are gone through carefully',
      );
  }
}

/** One without a row: nothing of it is ours in the database until an operator places it. */
function standing({ topic, partition }: TopicPartition, error: Error): Assigned {
  const nowhere = { slow: undefined, end: undefined, rereadsUntil: undefined };
  return { topic, partition, offset: 0n, epoch: 0n, standing: error, ...nowhere };
}

function boundsIn(views: LogViews, { topic, partition }: TopicPartition): PartitionBounds | undefined {
  const view = views.get(topic);
  return view && !(view instanceof UnknownTopicError) ? view.bounds.get(partition) : undefined;
}

function committedIn(views: LogViews, { topic, partition }: TopicPartition): bigint | undefined {
  const view = views.get(topic);
  return view && !(view instanceof UnknownTopicError) ? view.committed.get(partition) : undefined;
}
