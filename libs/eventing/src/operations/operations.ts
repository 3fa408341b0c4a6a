/**
 * What an operator may ask of the event path of one service: the admin API and the command line carry these
 * and nothing else.
 *
 * O1 every change names a reason and who wants it, and is written down in its own transaction (audit.ts);
 * O2 every change can be tried dry: it counts what it would touch, by the same statements, and changes
 *    nothing;
 * O3 every list and every change has a bound.
 */
import type { ErrorRecord } from '../letters/error-record.js';
import type { ParkedKey } from '../letters/letter-list.js';
import type { ParkedState } from '../letters/parking.js';

/** O1. */
export interface Change {
  /** A sentence for whoever reads the list of operations later. */
  readonly reason: string;
  /** Who wants it, as the admin API knows them. */
  readonly by: string;
  /** O2. */
  readonly dryRun: boolean;
}

/** What is given narrows; nothing given is everything. */
export interface LetterSelection {
  readonly topic?: string;
  readonly key?: string;
  /** Full name of the type of the event at the key's head. */
  readonly type?: string;
  /** Class of the head's error (`error.name`). */
  readonly error?: string;
  readonly state?: ParkedState;
}

/** One letter with what it carries; the payload stays encoded. */
export interface Letter {
  readonly eventId: string;
  readonly type: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly parkedAt: Date;
  readonly attempts: number;
  readonly error: ErrorRecord | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
}

export interface LetterCount {
  readonly keys: number;
  readonly letters: number;
}

/** Dead letters of the service's group. */
export interface LetterOperations {
  /** Keys that stand still, longest first. */
  list(selection: LetterSelection, limit: number): Promise<readonly ParkedKey[]>;
  /** The letters of one key, in order. */
  show(topic: string, key: string, limit: number): Promise<readonly Letter[]>;
  /**
   * Tries the selected keys again, with all their attempts: in the background, as durable tasks. `limit`:
   * most keys; default 100,000.
   */
  redrive(selection: LetterSelection, change: Change, limit?: number): Promise<LetterCount>;
  /** Gives one event up for good: its letter goes, what waits behind it goes on. */
  discard(topic: string, key: string, eventId: string, change: Change): Promise<LetterCount>;
}

/** Where a group stands in one partition. */
export interface GroupPartition {
  readonly topic: string;
  readonly partition: number;
  /** Undefined where the database knows none, though the partition is read here (E10). */
  readonly nextOffset: bigint | undefined;
  /** Bounds of the log; undefined while it does not answer. */
  readonly first: bigint | undefined;
  readonly end: bigint | undefined;
  readonly owner: string;
  readonly released: boolean;
  /**
   * Why it stands still: in this process, or in any because the log does not have its position. Undefined
   * where it flows, stands still in another member, or waits for the end of the group's pause only.
   */
  readonly stalled: Standstill | undefined;
  /** Undefined where nothing has waited here for more than two minutes, or the log does not answer. */
  readonly overdue: Overdue | undefined;
}

/** Records that have been in the log for more than two minutes and were not passed. */
export interface Overdue {
  readonly records: bigint;
  /** Whether position, owner or epoch have changed within these two minutes. */
  readonly moving: boolean;
  /** When they last did. */
  readonly movedAt: Date;
}

/** Why a partition stands still. */
export interface Standstill {
  readonly code:
    | 'key-letters-full' // a key has as many letters as it may have
    | 'group-letters-full'
    | 'schema-away' // tried again by itself
    | 'position-expired' // retention has passed it (E10)
    | 'position-beyond-end' // the log lost its tail, or is another one (E10)
    | 'group-forgotten' // the database has (E10)
    | 'topic-gone'
    | 'owner-changed' // taken again by itself where it is ours
    | 'partition-stalled'; // anything else
  readonly words: string;
}

export interface GroupState {
  readonly group: string;
  /** Undefined while it runs. */
  readonly paused: PausedGroup | undefined;
  readonly partitions: readonly GroupPartition[];
}

export interface PausedGroup {
  readonly since: Date;
  readonly reason: string;
  readonly by: string;
  /** No operator did it: too many of its keys failed (H22). */
  readonly byItself: boolean;
}

export type MoveTarget =
  | { readonly to: 'first' | 'end' }
  | { readonly to: 'offset'; readonly offset: bigint }
  | { readonly to: 'time'; readonly time: Date };

export interface GroupMove {
  readonly topic: string;
  readonly partition: number;
  /** Undefined where the database knew no position. */
  readonly from: bigint | undefined;
  readonly target: bigint;
}

/** The service's consumer group. */
export interface GroupOperations {
  state(): Promise<GroupState>;
  /**
   * Moves partitions of `topic` (all, or one) and raises their epochs: a unit under way fails, and starts
   * anew there.
   */
  move(
    where: { readonly topic: string; readonly partition?: number },
    target: MoveTarget,
    change: Change,
  ): Promise<readonly GroupMove[]>;
  pause(change: Change): Promise<void>;
  resume(change: Change): Promise<void>;
}

/** A key that the log refused a record of, for good. */
export interface RelayParkedKey {
  readonly topic: string;
  readonly key: string;
  /** Of the first record that waits. */
  readonly position: bigint;
  readonly error: ErrorRecord;
  readonly since: Date;
  readonly waiting: number;
}

export interface RelayOperations {
  parkedKeys(limit: number): Promise<readonly RelayParkedKey[]>;
  /** Publishes a parked key again from its first waiting record on, in position order. */
  resumeKey(topic: string, key: string, change: Change): Promise<{ readonly records: number }>;
  /** What stops the relay because time went backwards (E10); empty where nothing does. */
  findings(): Promise<readonly Finding[]>;
  /** Does what the finding of this code offers. Gives what was done, in words. */
  mend(code: string, change: Change): Promise<string>;
}

/** What a replay takes from the outbox: rows that are published, all conditions together. */
export interface ReplaySelection {
  readonly topic?: string;
  readonly fromPosition?: bigint;
  readonly toPosition?: bigint;
  readonly from?: Date;
  readonly to?: Date;
  readonly type?: string;
  readonly key?: string;
  readonly correlationId?: string;
  /** Partitions of `topic`, by key. */
  readonly partitions?: readonly number[];
}

export type ReplayState = 'running' | 'done' | 'cancelled' | 'failed';

export interface ReplayJob {
  readonly id: string;
  readonly selection: ReplaySelection;
  readonly state: ReplayState;
  readonly reason: string;
  readonly by: string;
  /** Most records per second; undefined: as fast as the log takes them. */
  readonly perSecond: number | undefined;
  readonly selected: number;
  readonly published: number;
  /** Last position that is acknowledged. */
  readonly position: bigint;
  readonly startedAt: Date;
  readonly endedAt: Date | undefined;
  readonly error: string | undefined;
}

export interface ReplayCount {
  readonly records: number;
  readonly bytes: number;
  /** Selected, but not published yet, or under a key that the relay has parked: left to the relay. */
  readonly notPublished: number;
  readonly oldest: Date | undefined;
  readonly newest: Date | undefined;
}

export interface ReplayOperations {
  count(selection: ReplaySelection): Promise<ReplayCount>;
  start(selection: ReplaySelection, perSecond: number | undefined, change: Change): Promise<ReplayJob>;
  list(limit: number): Promise<readonly ReplayJob[]>;
  /** Undefined where there is no such job. */
  find(id: string): Promise<ReplayJob | undefined>;
  cancel(id: string, change: Change): Promise<void>;
}

/** A topic as it is, as it should be, and what differs. */
export interface TopicPlan {
  readonly name: string;
  readonly action: 'create' | 'nothing' | 'differs';
  readonly words: string;
}

export interface TopicOperations {
  /** Makes the service's own topic where it is missing; names what differs from what the promise needs. */
  apply(
    wanted: { readonly partitions: number; readonly replicationFactor: number },
    change: Change,
  ): Promise<readonly TopicPlan[]>;
}

/** Something that an operator should know, and what mends it. */
export interface Finding {
  /** kebab-case, stable: `topic-behind`, `database-went-back`, … */
  readonly code: string;
  readonly severity: 'alarm' | 'warning' | 'note';
  /** What it is about: a topic/partition, a group, a key. */
  readonly subject: string;
  /** What was found, in words an operator understands. */
  readonly words: string;
  /** The command that mends it, as it is typed after `npm run aura --`. */
  readonly command: string | undefined;
}

/** Everything that an operator may ask of one service. */
export interface Operations {
  readonly letters: LetterOperations;
  readonly groups: GroupOperations;
  readonly relay: RelayOperations;
  readonly replay: ReplayOperations;
  readonly topics: TopicOperations;
  /** All findings of all parts, alarms first. */
  doctor(): Promise<readonly Finding[]>;
}
