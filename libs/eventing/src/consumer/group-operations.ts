import {
  UnknownTopicError,
  type EventLog,
  type PartitionBounds,
  type PartitionOffset,
  type TopicPartition,
} from '@aura/event-log';
import { ConflictError, TerminalError } from '@aura/platform';
import { noteOperation } from '../operations/audit.js';
import type {
  Change,
  GroupMove,
  GroupOperations,
  GroupPartition,
  GroupState,
  MoveTarget,
  Overdue,
} from '../operations/operations.js';
import type { UnitOfWork, UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import type { Consumer } from './consumer.js';
import { BY_ITSELF, deletePause, findPause, insertPause } from './group-pause.js';
import { listPositions, movePartitions, raiseEpochs, type StoredPosition } from './offsets.js';
import { outOfRange } from './place-check.js';
import { standstillOf } from './standstill.js';
import { inUnit } from './unit.js';

/** How long a list waits for the log (ms): without it the rest is shown. */
const LOG_WAIT_MS = 3_000;
/** A record that waits longer is overdue: more than a unit, and a change of owner, take. */
const LATE_MS = 120_000;

export interface ServiceGroupOptions {
  readonly group: string;
  /** Those that it reads: no other can be moved in. */
  readonly topics: readonly string[];
  readonly units: UnitOfWorkContext;
  readonly log: Pick<EventLog, 'bounds' | 'offsetsAt'>;
  /** This process's member; undefined before it has joined. */
  readonly consumer: () => Pick<Consumer, 'status' | 'nudge'> | undefined;
}

/**
 * The consumer group of one service, for its operators.
 *
 * Guarantees: each change is one transaction with what is written down of it (O1); a dry run executes the
 * same statements and rolls back (O2). Members see a change by their epochs, in this process at once, in
 * others within the watch of the group (P6). Limits: why a partition stands still is known of this process
 * only. Errors: `TerminalError` where the target is outside of the log, or the topic is not read;
 * `ConflictError` where the group is paused already, or is not paused.
 */
export class ServiceGroup implements GroupOperations {
  constructor(private readonly options: ServiceGroupOptions) {}

  async state(): Promise<GroupState> {
    const { group, topics: topicsRead, units, consumer } = this.options;
    const { paused, positions } = await inUnit(units, async ({ client }) => ({
      paused: await findPause(client, group),
      positions: await listPositions(client, group),
    }));
    const stalled = consumer()?.status().stalledPartitions ?? [];
    const lost = stalled.filter((each) => !positions.some((position) => isSame(position, each)));
    const places: readonly Place[] = [...positions, ...lost.map(unplaced)];
    const late = new Date(units.clock.now().getTime() - LATE_MS);
    const views = await this.#views(places, late);
    const partitions = places.map((place): GroupPartition => {
      const { topic, partition, offset: nextOffset, owner, released } = place;
      const view = views.get(topic);
      const inLog = view?.bounds?.find((each) => each.partition === partition);
      const known = stalled.find((each) => isSame(each, place))?.error;
      const error = known ?? (topicsRead.includes(topic) ? lostPlace(place, view, inLog) : undefined);
      return {
        topic,
        partition,
        nextOffset,
        first: inLog?.first,
        end: inLog?.end,
        owner,
        released,
        stalled: error && standstillOf(error),
        overdue: overdueOf(place, view?.late?.find((each) => each.partition === partition)?.offset, late),
      };
    });
    return { group, paused: paused && { ...paused, byItself: paused.by === BY_ITSELF }, partitions };
  }

  async move(
    { topic, partition }: { readonly topic: string; readonly partition?: number },
    target: MoveTarget,
    change: Change,
  ): Promise<readonly GroupMove[]> {
    const { group, topics, log } = this.options;
    if (!topics.includes(topic))
      throw new TerminalError(
        `group ${group} does not read ${topic}: it reads ${topics.join(', ') || 'nothing'}`,
      );
    const all = await log.bounds(topic);
    const bounds = all.filter((each) => partition === undefined || each.partition === partition);
    if (bounds.length === 0)
      throw new TerminalError(`${topic} has no partition ${partition}, only ${all.length}`);
    const targets = await this.#targets(topic, bounds, target);
    return this.#change(change, async ({ client }) => {
      const before = await listPositions(client, group);
      await movePartitions(client, group, topic, targets);
      const moves = targets.map((each) => moveOf(topic, each, before));
      await noteOperation(client, 'groups move', { group, topic, target, moves }, change);
      return moves;
    });
  }

  pause(change: Change): Promise<void> {
    const { group } = this.options;
    return this.#change(change, async ({ client }) => {
      if (!(await insertPause(client, group, change.reason, change.by)))
        throw new ConflictError(
          `group ${group} is paused already: \`npm run aura -- groups list\` says by whom and why`,
        );
      await raiseEpochs(client, group);
      await noteOperation(client, 'groups pause', { group }, change);
    });
  }

  resume(change: Change): Promise<void> {
    const { group } = this.options;
    return this.#change(change, async ({ client }) => {
      if (!(await deletePause(client, group))) throw new ConflictError(`group ${group} is not paused`);
      await raiseEpochs(client, group);
      await noteOperation(client, 'groups resume', { group }, change);
    });
  }

  async #change<T>(change: Change, fn: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    const { units, group, consumer } = this.options;
    const result = await inUnit(units, async (unit) => {
      const done = await fn(unit);
      if (!change.dryRun) await unit.commit(`an operator's change of group ${group}`);
      return done;
    });
    if (!change.dryRun) consumer()?.nudge();
    return result;
  }

  async #views(places: readonly Place[], late: Date): Promise<ReadonlyMap<string, TopicView>> {
    const byTopic = [...Map.groupBy(places, ({ topic }) => topic)];
    return new Map(
      await Promise.all(
        byTopic.map(async ([topic, its]) => [topic, await this.#view(topic, its, late)] as const),
      ),
    );
  }

  /** A topic that the group has left may be gone, or have records: that is nobody's trouble. */
  async #view(topic: string, places: readonly Place[], late: Date): Promise<TopicView> {
    const { log, topics } = this.options;
    const bounds = await soon(log.bounds(topic).catch(ifUnknown));
    if (bounds instanceof UnknownTopicError) return { gone: bounds };
    const isBehind = bounds?.some(({ partition, end }) =>
      places.some((place) => place.partition === partition && (place.offset ?? end) < end),
    );
    if (!bounds || !isBehind || !topics.includes(topic)) return { bounds };
    return { bounds, late: await soon(log.offsetsAt(topic, late)) };
  }

  async #targets(
    topic: string,
    bounds: readonly PartitionBounds[],
    target: MoveTarget,
  ): Promise<PartitionOffset[]> {
    switch (target.to) {
      case 'first':
        return bounds.map(({ partition, first }) => ({ partition, offset: first }));
      case 'end':
        return bounds.map(({ partition, end }) => ({ partition, offset: end }));
      case 'time': {
        const at = await this.options.log.offsetsAt(topic, target.time);
        return at.filter((each) => bounds.some(({ partition }) => partition === each.partition));
      }
      case 'offset':
        return bounds.map((bound) => ({
          partition: bound.partition,
          offset: within(topic, bound, target.offset),
        }));
    }
  }
}

interface Place extends Pick<StoredPosition, 'topic' | 'partition' | 'owner' | 'released'> {
  readonly offset: bigint | undefined;
  readonly changedAt: Date | undefined;
}

/** What the log says of one topic, as far as it has answered. */
interface TopicView {
  readonly gone?: UnknownTopicError;
  readonly bounds?: readonly PartitionBounds[] | undefined;
  /** The first offset that is not overdue, of each partition; asked for where somebody is behind. */
  readonly late?: readonly PartitionOffset[] | undefined;
}

function ifUnknown(error: unknown): UnknownTopicError {
  if (error instanceof UnknownTopicError) return error;
  throw error;
}

/** Undefined where the log does not answer soon: what is wrong with it is the doctor's to say. */
async function soon<T>(answer: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), LOG_WAIT_MS);
  });
  try {
    return await Promise.race([answer.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What the log says by now, whoever holds the partition, or nobody: the position was read before. */
function lostPlace(
  { topic, partition, offset }: Place,
  view: TopicView | undefined,
  bounds: PartitionBounds | undefined,
): Error | undefined {
  if (view?.gone) return view.gone;
  return offset !== undefined && bounds ? outOfRange({ topic, partition, offset }, bounds) : undefined;
}

function overdueOf({ offset, changedAt }: Place, until: bigint | undefined, late: Date): Overdue | undefined {
  if (offset === undefined || changedAt === undefined || until === undefined || until <= offset)
    return undefined;
  return { records: until - offset, moving: changedAt > late, movedAt: changedAt };
}

/** Held here, but the database does not know it. */
function unplaced({ topic, partition }: TopicPartition): Place {
  return { topic, partition, offset: undefined, owner: '', released: false, changedAt: undefined };
}

function isSame(a: TopicPartition, b: TopicPartition): boolean {
  return a.topic === b.topic && a.partition === b.partition;
}

function within(topic: string, { partition, first, end }: PartitionBounds, offset: bigint): bigint {
  if (offset >= first && offset <= end) return offset;
  throw new TerminalError(`offset ${offset} is not in ${topic}/${partition}: the log has ${first} to ${end}`);
}

function moveOf(
  topic: string,
  { partition, offset: target }: PartitionOffset,
  before: readonly StoredPosition[],
): GroupMove {
  const known = before.find((each) => isSame(each, { topic, partition }));
  return { topic, partition, from: known?.offset, target };
}
