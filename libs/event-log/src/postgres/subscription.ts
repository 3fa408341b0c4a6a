/**
 * One member of a group: what it holds, where it stands, and the two loops that keep it going.
 *
 * - S1 the heart renews the lease, whatever a unit takes; the delivery does everything else, one step after
 *   the other: release, claim, onAssigned, read, onBatches. So no record comes before onAssigned, and a
 * release waits for the unit.
 * - S2 records are delivered only while the lease holds by this process's monotonic clock; a frozen member
 *   that wakes up asks first (L5).
 * - S3 a position moves only by what onBatches reported, or by seek; a seek during a unit wins over the
 *   unit's report.
 * - S4 no error of a callback or of the database ends a loop (L6).
 */
import { randomUUID } from 'node:crypto';
import { asError, Loop, type Next } from '@aura/platform';
import { PositionOutOfRangeError, UnknownTopicError } from '../errors.js';
import type { Batch, Position, SubscribeOptions, Subscription, TopicPartition } from '../event-log.js';
import type { Database } from './database.js';
import { fresh, type Held, keyOf, named, rotated } from './held.js';
import { MovedOffsets } from './group-offsets.js';
import * as groups from './groups.js';
import { readMember, type Found } from './read.js';
import { describeTopics } from './topics.js';
import type { Sleeper, WakeUp } from './wake-up.js';

const DEFAULTS = { maxRecords: 500, maxBytes: 4 * 1024 * 1024, sessionTimeoutMs: 10_000 };
/** Poll while notifications can't arrive. */
const DEAF_POLL_MS = 250;
/** Pause before records are delivered again of which the caller reported nothing as done. */
const REDELIVER_MS = 50;
const BACKOFF = { initialMs: 50, maxMs: 2_000 };

export class PostgresSubscription implements Subscription, Sleeper {
  readonly group: string;
  readonly topics: ReadonlySet<string>;
  readonly #held = new Map<string, Held>();
  readonly #heart: Loop;
  readonly #delivery: Loop;
  readonly #limits: { maxRecords: number; maxBytes: number; sessionTimeoutMs: number };
  /** Undefined before the first join and after an expulsion. */
  #member: groups.Member | undefined;
  #generation = 0n;
  #leaseEndsAt = 0;
  /** The heart saw that owned partitions and held ones differ. */
  #unsettled = false;
  readonly #moved = new MovedOffsets();
  #unit: AbortController | undefined;
  #turn = 0;
  #stopped: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly wakeUp: WakeUp,
    private readonly options: SubscribeOptions,
    pollMs: number,
  ) {
    this.group = options.group;
    this.topics = new Set(options.topics);
    this.#limits = {
      maxRecords: options.maxRecords ?? DEFAULTS.maxRecords,
      maxBytes: options.maxBytes ?? DEFAULTS.maxBytes,
      sessionTimeoutMs: options.sessionTimeoutMs ?? DEFAULTS.sessionTimeoutMs,
    };
    const onError = (error: unknown): void => this.#report(error);
    this.#heart = new Loop({
      name: `event-log.heart.${options.group}`,
      idleMs: this.#limits.sessionTimeoutMs / 3,
      round: () => this.#beat(),
      onError,
      backoff: { initialMs: 50, maxMs: this.#limits.sessionTimeoutMs / 6 },
    });
    this.#delivery = new Loop({
      name: `event-log.delivery.${options.group}`,
      idleMs: pollMs,
      round: (signal) => this.#round(signal),
      onError,
      backoff: BACKOFF,
    });
  }

  /** Joins once; where that fails the delivery loop goes on trying. */
  async start(): Promise<void> {
    await this.#join().catch((error: unknown) => this.#report(error));
    this.wakeUp.add(this);
    this.#heart.start();
    this.#delivery.start();
  }

  onRecords(): void {
    this.#delivery.nudge();
  }

  onGroupChange(): void {
    this.#heart.nudge();
  }

  assigned(): readonly TopicPartition[] {
    return [...this.#held.values()].map(named);
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#each(partitions, (held) => (held.paused = true));
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#each(partitions, (held) => (held.paused = false));
    this.#delivery.nudge();
  }

  seek(position: Position): void {
    this.#each([position], (held) => {
      held.position = position.offset;
      held.placed = true;
      held.failed = false;
      held.seeks++;
    });
    this.#delivery.nudge();
  }

  healthy(): boolean {
    return this.#stopped === undefined && this.#member !== undefined && this.#leaseHolds();
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#unit?.abort();
    // The heart goes on until the unit under way has ended: its partitions must not be taken meanwhile.
    await this.#delivery.stop();
    await this.#heart.stop();
    this.wakeUp.remove(this);
    await this.#revoke([...this.#held.values()], true);
    const member = this.#member;
    this.#member = undefined;
    if (!member) return;
    await this.#moved.save(this.database, member).catch((error: unknown) => this.#report(error));
    await this.database
      .transaction('leave the group', (client) => groups.leave(client, member))
      .catch((error: unknown) => this.#report(error)); // the lease runs out by itself
  }

  async #join(): Promise<void> {
    const member = { group: this.group, id: randomUUID() };
    const asked = performance.now();
    await this.database.transaction('join the group', (client) =>
      groups.join(client, member, [...this.topics], this.#limits.sessionTimeoutMs),
    );
    this.#member = member;
    this.#renewed(asked);
    this.#unsettled = true;
  }

  /** One round of the heart: renew, notice what changed, expel whose lease ran out. */
  async #beat(): Promise<Next> {
    const member = this.#member;
    if (!member) return 'wait';
    const standing = await this.#stand(member);
    if (standing.alive && standing.stale) {
      await this.database.transaction('rebalance the group', (client) =>
        groups.rebalance(client, this.group),
      );
      return 'again';
    }
    if (standing.alive) await this.#moved.save(this.database, member);
    if (!this.#settledAs(standing)) {
      this.#unsettled = true;
      this.#delivery.nudge();
    }
    return 'wait';
  }

  async #stand(member: groups.Member): Promise<groups.Standing> {
    const asked = performance.now();
    const standing = await this.database.use('heartbeat', (client) => groups.beat(client, member));
    if (standing.alive) this.#renewed(asked);
    else if (this.#member === member) {
      this.#member = undefined; // expelled: whatever it held may be another's by now
      this.#unit?.abort();
      this.#delivery.nudge();
    }
    return standing;
  }

  #settledAs({ kept, leaving, free, generation }: groups.Standing): boolean {
    return (
      leaving.length === 0 &&
      free.length === 0 &&
      kept.length === this.#held.size &&
      kept.every((partition) => this.#held.has(keyOf(partition))) &&
      generation === this.#generation
    );
  }

  async #round(signal: AbortSignal): Promise<Next> {
    await this.#settle();
    await this.#place();
    return signal.aborted ? 'wait' : this.#deliver(signal);
  }

  /** Makes what is held equal to what the group says. */
  async #settle(): Promise<void> {
    if (!this.#member) {
      await this.#revoke([...this.#held.values()], false);
      await this.#join();
    }
    const member = this.#member;
    if (!this.#unsettled || !member) return;
    this.#unsettled = false; // before the question: a change after the answer sets it again
    try {
      const standing = await this.#stand(member);
      if (!standing.alive) return this.#settle();
      await this.#adopt(member, standing);
    } catch (error) {
      this.#unsettled = true;
      throw error;
    }
  }

  async #adopt(member: groups.Member, standing: groups.Standing): Promise<void> {
    const owned = new Set([...standing.kept, ...standing.leaving].map(keyOf));
    await this.#revoke(
      [...this.#held.values()].filter((held) => !owned.has(keyOf(held))),
      false,
    );
    if (standing.leaving.length > 0) {
      await this.#revoke(this.#heldOf(standing.leaving), true);
      await this.database.transaction('release partitions', (client) =>
        groups.release(client, member, standing.leaving),
      );
    }
    const claimed =
      standing.free.length > 0
        ? await this.database.transaction('claim partitions', (client) => groups.claim(client, member))
        : [];
    for (const partition of [...standing.kept, ...claimed])
      if (!this.#held.has(keyOf(partition))) this.#held.set(keyOf(partition), fresh(partition));
    // As on Kafka, a pause ends with its generation.
    if (standing.generation !== this.#generation) for (const held of this.#held.values()) held.paused = false;
    this.#generation = standing.generation;
  }

  async #revoke(partitions: readonly Held[], clean: boolean): Promise<void> {
    if (partitions.length === 0) return;
    for (const held of partitions) this.#held.delete(keyOf(held));
    try {
      await this.options.onRevoked(partitions.map(named), clean);
    } catch (error) {
      this.#report(error); // they are gone, whatever the caller makes of it
    }
  }

  /**
   * Asks the caller where the new partitions start. A rejection fails the round: nothing is delivered until
   * it works.
   */
  async #place(): Promise<void> {
    const unplaced = [...this.#held.values()].filter((held) => !held.placed);
    if (unplaced.length === 0) return;
    const seeks = unplaced.map((held) => held.seeks);
    const positions = await this.options.onAssigned(unplaced.map(named));
    const starts = new Map(positions.map((position) => [keyOf(position), position.offset]));
    unplaced.forEach((held, at) => {
      if (held.seeks !== seeks[at]) return;
      held.position = starts.get(keyOf(held));
      held.placed = true;
    });
  }

  async #deliver(signal: AbortSignal): Promise<Next> {
    const member = this.#member;
    const live = rotated(
      [...this.#held.values()].filter((held) => held.position !== undefined && !held.paused && !held.failed),
      this.#turn++,
    );
    const idle: Next = this.wakeUp.listening ? 'wait' : { afterMs: DEAF_POLL_MS };
    if (live.length === 0 || !member) return idle;
    const asked = live.map((held) => ({ ...held, offset: held.position ?? 0n }));
    const found = await this.database.use('read', (client) =>
      readMember(client, member, asked, this.#limits),
    );
    // Stopped or expelled during the read: a unit that starts now would be told by nobody.
    if (signal.aborted) return 'wait';
    if (this.#member !== member) return 'again';
    if (found.length < live.length || !this.#leaseHolds()) {
      this.#unsettled = true;
      if (!this.#leaseHolds()) return 'again';
      await this.#tellVanished(live.filter((_, at) => !found.some((f) => f.at === at)));
    }
    const batches = found.flatMap((f) => this.#batchOf(live[f.at], asked[f.at], f));
    if (batches.length === 0) return this.#unsettled ? { afterMs: REDELIVER_MS } : idle;
    return (await this.#handle(batches)) ? 'again' : { afterMs: REDELIVER_MS };
  }

  /** The read found nothing of `unread`: another member's by now, or its topic was deleted. */
  async #tellVanished(unread: readonly Held[]): Promise<void> {
    if (unread.length === 0) return;
    const topics = [...new Set(unread.map((held) => held.topic))];
    const known = await this.database.use('look for topics', (client) => describeTopics(client, topics));
    for (const held of unread) {
      if (known.some(({ name }) => name === held.topic)) continue;
      held.failed = true;
      const error = new UnknownTopicError(held.topic);
      this.#guard(() => this.options.onPartitionError(named(held), error));
    }
  }

  /**
   * What may be delivered of one partition, now that the read is back: the caller may have moved or paused
   * it.
   */
  #batchOf(held: Held | undefined, asked: (Held & Position) | undefined, found: Found): Batch[] {
    if (!held || !asked || !this.#isCurrent(held, asked.seeks) || held.paused) return [];
    if (asked.offset < found.first || asked.offset > found.end) {
      held.failed = true;
      const position = { ...named(held), offset: asked.offset };
      const error = new PositionOutOfRangeError(position, { first: found.first, end: found.end });
      this.#guard(() => this.options.onPartitionError(named(held), error));
      return [];
    }
    return found.records.length > 0 ? [{ ...named(held), records: found.records, end: found.end }] : [];
  }

  /** One unit. True if a partition moved. */
  async #handle(batches: readonly Batch[]): Promise<boolean> {
    const seeks = new Map(batches.map((batch) => [keyOf(batch), this.#held.get(keyOf(batch))?.seeks]));
    const unit = new AbortController();
    this.#unit = unit;
    let moved = false;
    try {
      for (const next of await this.options.onBatches(batches, { signal: unit.signal })) {
        const held = this.#held.get(keyOf(next));
        if (!held || held.seeks !== seeks.get(keyOf(next))) continue;
        moved ||= held.position !== next.offset;
        held.position = next.offset;
        this.#moved.note(next);
      }
    } finally {
      this.#unit = undefined;
    }
    return moved;
  }

  #isCurrent(held: Held, seeks: number): boolean {
    return this.#held.get(keyOf(held)) === held && held.seeks === seeks;
  }

  #heldOf(partitions: readonly TopicPartition[]): Held[] {
    return partitions.flatMap((partition) => this.#held.get(keyOf(partition)) ?? []);
  }

  #each(partitions: readonly TopicPartition[], change: (held: Held) => void): void {
    for (const held of this.#heldOf(partitions)) change(held);
  }

  /** From when the question was sent: never later than what the database granted. */
  #renewed(askedAt: number): void {
    this.#leaseEndsAt = askedAt + this.#limits.sessionTimeoutMs;
  }

  #leaseHolds(): boolean {
    return performance.now() < this.#leaseEndsAt;
  }

  #report(error: unknown): void {
    this.#guard(() => this.options.onError(asError(error)));
  }

  /** Runs a callback that has nobody above it to tell. */
  #guard(callback: () => void): void {
    try {
      callback();
    } catch {
      // S4: the callback is for reporting; its own failure has no other place to go, and must not end the
      // loop.
    }
  }
}
