import type { TopicPartition } from '@aura/event-log';
import { StaleOwnerError, type OwnedPosition } from './offsets.js';

interface Owned extends TopicPartition {
  readonly epoch: bigint;
  /** In the database. */
  saved: bigint;
  /** Told to the log; ahead of `saved` when only records that nobody wants came. */
  reached: bigint;
  /** Why it stands still. */
  stalled: Error | undefined;
}

/** A partition that is assigned and does not move. */
export interface StalledPartition extends TopicPartition {
  readonly error: Error;
}

/** What this member holds, by its own account: the database has the last word (P2). In memory only. */
export class Ownership {
  readonly #owned = new Map<string, Owned>();

  take(positions: readonly OwnedPosition[]): void {
    for (const { topic, partition, offset, epoch } of positions)
      this.#owned.set(keyOf({ topic, partition }), {
        topic,
        partition,
        epoch,
        saved: offset,
        reached: offset,
        stalled: undefined,
      });
  }

  /** Forgets `partitions`; gives where they stood. */
  drop(partitions: readonly TopicPartition[]): OwnedPosition[] {
    return partitions.flatMap((partition) => {
      const owned = this.#owned.get(keyOf(partition));
      this.#owned.delete(keyOf(partition));
      return owned ? [positionOf(owned)] : [];
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
      const owned = this.#owned.get(keyOf(position));
      if (owned?.epoch !== position.epoch) continue;
      if (position.offset > owned.reached) owned.reached = position.offset;
    }
  }

  saved(positions: readonly OwnedPosition[]): void {
    for (const position of positions) {
      const owned = this.#owned.get(keyOf(position));
      if (owned?.epoch !== position.epoch) continue;
      if (position.offset > owned.saved) owned.saved = position.offset;
    }
    this.reached(positions);
  }

  unsaved(): OwnedPosition[] {
    return [...this.#owned.values()].filter((o) => o.reached > o.saved && !o.stalled).map(positionOf);
  }

  /** M4. Only while it is held under `epoch`, where one is given: it may have been assigned anew since. */
  stall(partition: TopicPartition, error: Error, epoch?: bigint): void {
    const owned = this.#owned.get(keyOf(partition));
    if (owned && (epoch === undefined || owned.epoch === epoch)) owned.stalled = error;
  }

  /** Those that stand still because somebody raised their epoch, with the epoch that was ours. */
  lost(): OwnedPosition[] {
    return [...this.#owned.values()].filter((o) => o.stalled instanceof StaleOwnerError).map(positionOf);
  }

  /** Whether it is still held under this epoch: neither revoked nor assigned anew since. */
  holds({ topic, partition, epoch }: OwnedPosition): boolean {
    return this.#owned.get(keyOf({ topic, partition }))?.epoch === epoch;
  }

  assigned(): TopicPartition[] {
    return [...this.#owned.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  stalled(): StalledPartition[] {
    return [...this.#owned.values()].flatMap(({ topic, partition, stalled }) =>
      stalled ? [{ topic, partition, error: stalled }] : [],
    );
  }
}

export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function positionOf({ topic, partition, reached, epoch }: Owned): OwnedPosition {
  return { topic, partition, offset: reached, epoch };
}
