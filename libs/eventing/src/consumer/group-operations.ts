import type { EventLog, PartitionBounds, PartitionOffset, TopicPartition } from '@aura/event-log';
import { ConflictError, TerminalError } from '@aura/platform';
import { noteOperation } from '../operations/audit.js';
import type {
  Change,
  GroupMove,
  GroupOperations,
  GroupPartition,
  GroupState,
  MoveTarget,
} from '../operations/operations.js';
import type { UnitOfWork, UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import type { Consumer } from './consumer.js';
import { deletePause, findPause, GroupPausedError, insertPause } from './group-pause.js';
import { listPositions, movePartitions, raiseEpochs, type StoredPosition } from './offsets.js';
import { inUnit } from './unit.js';

/** How long a list waits for the log (ms): without it the rest is shown. */
const LOG_WAIT_MS = 3_000;

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
    const { group, units, consumer } = this.options;
    const { paused, positions } = await inUnit(units, async ({ client }) => ({
      paused: await findPause(client, group),
      positions: await listPositions(client, group),
    }));
    const stalled = consumer()?.status().stalledPartitions ?? [];
    const lost = stalled.filter((each) => !positions.some((position) => isSame(position, each)));
    const places: readonly Place[] = [...positions, ...lost.map(unplaced)];
    const topics = [...new Set(places.map(({ topic }) => topic))];
    const bounds = new Map(
      await Promise.all(topics.map(async (topic) => [topic, await this.#boundsSoon(topic)] as const)),
    );
    const partitions = places.map(
      ({ topic, partition, offset: nextOffset, owner, released }): GroupPartition => {
        const inLog = bounds.get(topic)?.find((each) => each.partition === partition);
        const error = stalled.find((each) => isSame(each, { topic, partition }))?.error;
        return {
          topic,
          partition,
          nextOffset,
          first: inLog?.first,
          end: inLog?.end,
          owner,
          released,
          stalled: error instanceof GroupPausedError ? undefined : error?.message,
        };
      },
    );
    return { group, paused, partitions };
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

  /** Undefined where the log does not answer soon. */
  async #boundsSoon(topic: string): Promise<PartitionBounds[] | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), LOG_WAIT_MS);
    });
    try {
      // What is wrong with the log is the doctor's to say.
      return await Promise.race([this.options.log.bounds(topic).catch(() => undefined), late]);
    } finally {
      clearTimeout(timer);
    }
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
}

/** Held here, but the database does not know it. */
function unplaced({ topic, partition }: TopicPartition): Place {
  return { topic, partition, offset: undefined, owner: '', released: false };
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
