import { UnknownTopicError, type Batch, type TopicPartition } from '@aura/event-log';
import { kindOf } from '@aura/platform';
import { StaleOwnerError, type OwnedPosition } from './offsets.js';
import { grown, type SlowStart } from './slow-start.js';

/** A partition as it was assigned, or taken again. */
export interface Assigned extends OwnedPosition {
  /** Why it stands still from the start; undefined where it flows. */
  readonly standing: Error | undefined;
  readonly slow: SlowStart | undefined;
  /** End of the log when it was looked at. */
  readonly end: bigint | undefined;
  /** Up to here the log says that this group has read before, and its database does not know. */
  readonly rereadsUntil: bigint | undefined;
}

interface Owned extends TopicPartition {
  readonly epoch: bigint;
  /** In the database. */
  saved: bigint;
  /** Told to the log; ahead of `saved` when only records that nobody wants came. */
  reached: bigint;
  /** Why it stands still. */
  stalled: Error | undefined;
  slow: SlowStart | undefined;
  end: bigint | undefined;
  readonly rereadsUntil: bigint | undefined;
}

/** A partition that is assigned and does not move, or was until its topic vanished. */
export interface StalledPartition extends TopicPartition {
  readonly error: Error;
}

/** One that reads again what the group had read before its database went back (E10). */
export interface RereadPartition extends TopicPartition {
  readonly from: bigint;
  readonly until: bigint;
}

/** How far a partition is behind, as far as it is known without asking. */
export interface PartitionLag extends TopicPartition {
  readonly records: number;
}

/**
 * What this member holds, by its own account: the database has the last word (P2). In memory only.
 *
 * A partition that stands still says by its error's kind how it comes back (retaking.ts): what passes by
 * itself, or was taken by somebody else, is tried again; anything else waits until an operator acts, which
 * raises its epoch (P6).
 */
export class Ownership {
  readonly #owned = new Map<string, Owned>();
  /** As they were given back: a log that lost a topic may say so only then. Until somebody has taken them. */
  readonly #left = new Map<string, Owned>();

  take(partitions: readonly Assigned[]): void {
    for (const { topic, partition, offset, epoch, standing, slow, end, rereadsUntil } of partitions) {
      this.#left.delete(keyOf({ topic, partition }));
      this.#owned.set(keyOf({ topic, partition }), {
        topic,
        partition,
        epoch,
        saved: offset,
        reached: offset,
        stalled: standing,
        slow,
        end,
        rereadsUntil,
      });
    }
  }

  /** Gives `partitions` back; gives where they stood. */
  drop(partitions: readonly TopicPartition[]): OwnedPosition[] {
    return partitions.flatMap((partition) => {
      const owned = this.#owned.get(keyOf(partition));
      if (!owned) return [];
      this.#owned.delete(keyOf(partition));
      const isGone = owned.stalled instanceof UnknownTopicError;
      this.#left.set(keyOf(partition), { ...owned, stalled: isGone ? owned.stalled : undefined });
      return [positionOf(owned)];
    });
  }

  /**
   * Those that may be handled now, with their epochs: what a unit runs under, whatever is assigned
   * meanwhile (M2).
   */
  epochs(): ReadonlyMap<string, bigint> {
    const running = [...this.#owned].filter(([, owned]) => !owned.stalled);
    return new Map(running.map(([key, { epoch }]) => [key, epoch]));
  }

  /** Only while held under its epoch, as all that a unit reports: a new owner's start may lie before it. */
  reached(positions: readonly OwnedPosition[]): void {
    for (const position of positions) {
      const owned = this.#heldAs(position);
      if (owned && position.offset > owned.reached) owned.reached = position.offset;
    }
  }

  saved(positions: readonly OwnedPosition[]): void {
    for (const position of positions) {
      const owned = this.#heldAs(position);
      if (owned && position.offset > owned.saved) owned.saved = position.offset;
    }
    this.reached(positions);
  }

  unsaved(): OwnedPosition[] {
    return [...this.#owned.values()].filter((o) => o.reached > o.saved && !o.stalled).map(positionOf);
  }

  /** Where the log ended when these were fetched. */
  fetched(batches: readonly Batch[]): void {
    for (const { topic, partition, end } of batches) {
      const owned = this.#owned.get(keyOf({ topic, partition }));
      if (owned && end !== undefined) owned.end = end;
    }
  }

  /** Undefined where nothing is to be feared. */
  slowStartOf(partition: TopicPartition): SlowStart | undefined {
    return this.#owned.get(keyOf(partition))?.slow;
  }

  /** A careful unit from `from` up to `reached` has ended well. */
  passed(reached: OwnedPosition, from: bigint): void {
    const owned = this.#heldAs(reached);
    if (owned?.slow) owned.slow = grown(owned.slow, from, reached.offset);
  }

  /** M4. Only while it is held under `epoch`: it may have been assigned anew since. */
  stall(position: Omit<OwnedPosition, 'offset'>, error: Error): void {
    const owned = this.#owned.get(keyOf(position));
    if (owned?.epoch === position.epoch) owned.stalled = error;
  }

  /** M4. By what the log says, which may have taken it away before: who would tell that it is gone? */
  giveUp(partition: TopicPartition, error: Error): void {
    const owned = this.#owned.get(keyOf(partition)) ?? this.#left.get(keyOf(partition));
    if (owned) owned.stalled = error;
  }

  /** What was given back and has another epoch by now is somebody's again, or was. */
  forgetTaken(epochs: ReadonlyMap<string, bigint>): void {
    for (const [key, { epoch }] of this.#left) if (epochs.get(key) !== epoch) this.#left.delete(key);
  }

  /** Whose epoch is not what the database says: another took it, or an operator changed the group. */
  overtaken(epochs: ReadonlyMap<string, bigint>): OwnedPosition[] {
    return [...this.#owned]
      .filter(([key, { epoch, stalled }]) => {
        const current = epochs.get(key);
        return current !== undefined && current !== epoch && !(stalled instanceof StaleOwnerError);
      })
      .map(([, owned]) => positionOf(owned));
  }

  /** Those that stand still for what is tried again by itself, with the epoch that is, or was, ours. */
  returning(): OwnedPosition[] {
    return [...this.#owned.values()].filter((o) => o.stalled && comesBack(o.stalled)).map(positionOf);
  }

  /** Whether it is still held under this epoch: neither revoked nor assigned anew since. */
  holds(position: OwnedPosition): boolean {
    return this.#heldAs(position) !== undefined;
  }

  assigned(): TopicPartition[] {
    return [...this.#owned.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  stalled(): StalledPartition[] {
    return [...this.#owned.values(), ...this.#left.values()].flatMap(({ topic, partition, stalled }) =>
      stalled ? [{ topic, partition, error: stalled }] : [],
    );
  }

  rereading(): RereadPartition[] {
    return [...this.#owned.values()].flatMap(({ topic, partition, reached, rereadsUntil: until }) =>
      until !== undefined && reached < until ? [{ topic, partition, from: reached, until }] : [],
    );
  }

  lags(): PartitionLag[] {
    return [...this.#owned.values()].flatMap(({ topic, partition, reached, end }) =>
      end === undefined ? [] : [{ topic, partition, records: Math.max(0, Number(end - reached)) }],
    );
  }

  #heldAs({ topic, partition, epoch }: OwnedPosition): Owned | undefined {
    const owned = this.#owned.get(keyOf({ topic, partition }));
    return owned?.epoch === epoch ? owned : undefined;
  }
}

/** Whether what stands still for this is tried again by itself, or waits for somebody to act. */
export function comesBack(error: Error): boolean {
  const kind = kindOf(error);
  return kind === 'transient' || kind === 'conflict';
}

export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function positionOf({ topic, partition, reached, epoch }: Owned): OwnedPosition {
  return { topic, partition, offset: reached, epoch };
}
