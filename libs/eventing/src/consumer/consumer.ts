/**
 * One service's member of its consumer group.
 *
 * M1 the service's database decides where a partition starts (H5); the log's copy of positions is never
 *    asked;
 * M2 whoever is assigned a partition raises its epoch before the first record; a unit runs under the epochs
 *    of its start;
 * M3 what no handler wants is dropped before the database; its offsets are saved with the next unit, or a
 *    little later;
 * M4 a partition that can't go on is shown as stalled, never moved; the others flow;
 * M5 it comes back through one door (retaking.ts): by itself where what holds it passes or somebody else has
 *    raised its epoch, and otherwise when an operator acts, which raises its epoch.
 */
import type { Contracts, SchemaRegistry } from '@aura/contracts';
import type {
  Batch,
  DeliveryContext,
  EventLog,
  Position,
  SubscribeOptions,
  Subscription,
  TopicPartition,
} from '@aura/event-log';
import { InvariantError, type Logger } from '@aura/platform';
import { randomUUID } from 'node:crypto';
import type { LetterLimits } from '../letters/letter-limits.js';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { Arrivals } from './arrivals.js';
import { Assignment } from './assignment.js';
import { GroupPausedError, type GroupPause } from './group-pause.js';
import { GroupWatch } from './group-watch.js';
import type { Handlers } from './handlers.js';
import { InboxUpkeep } from './inbox-upkeep.js';
import type { MassFailureLimits } from './mass-failure.js';
import { MassPause } from './mass-pause.js';
import { consumerMetrics, type ConsumerMetrics } from './metrics.js';
import type { OwnedPosition } from './offsets.js';
import {
  keyOf,
  Ownership,
  type Assigned,
  type PartitionLag,
  type RereadPartition,
  type StalledPartition,
} from './ownership.js';
import { Retaking } from './retaking.js';

const DEFAULT_MAX_EVENTS = 500;

export interface ConsumerLimits {
  /** Events of one unit. Default 500. */
  readonly maxEvents?: number;
  /** Bytes of one unit. Default 4 MiB. */
  readonly maxBytes?: number;
  /** A member that the log has not heard of for this long loses its partitions (ms). Default: the log's. */
  readonly sessionTimeoutMs?: number;
  /**
   * Longest wait between two tries while database or registry are away (ms). Default 10,000; the first: 100.
   */
  readonly maxBackoffMs?: number;
  readonly initialBackoffMs?: number;
  /**
   * How long positions of records that nobody wants may stay unsaved, and what an operator changes unseen
   * where nothing arrives (ms). Default 5,000.
   */
  readonly saveSkippedMs?: number;
  /** At which start an event is parked that ended its processes while it was handled alone. Default 3. */
  readonly maxStarts?: number;
  /** When failing keys pause the group instead of being parked. */
  readonly massFailure?: MassFailureLimits;
}

export interface ConsumerOptions {
  /** The service's name: what inbox, offsets and letters belong to. Renaming it is a migration. */
  readonly group: string;
  readonly log: EventLog;
  readonly registry: Pick<SchemaRegistry, 'schemaById'>;
  readonly contracts: Contracts;
  readonly handlers: Handlers;
  /** Its pool sets `lock_timeout` and `statement_timeout`: they bound a unit's time. */
  readonly units: UnitOfWorkContext;
  readonly logger: Logger;
  /** What people know this process by in `consumer_offset.owner`; a random part is added. Default: none. */
  readonly instance?: string;
  readonly limits?: ConsumerLimits;
  readonly letters?: LetterLimits;
  /** Letters were written: for whoever counts them. Must not throw. */
  readonly onParked?: () => void;
  /** How long the inbox remembers ids, in whole days; see low-water.ts. Default 14. */
  readonly inboxRetentionDays?: number;
}

/** For readiness and for people. */
export interface ConsumerStatus {
  readonly assigned: readonly TopicPartition[];
  /** Part of its group, with a living loop. */
  readonly running: boolean;
  /**
   * Assigned partitions that stand still, with the reason: until somebody acts, or, where `comesBack(error)`,
   * until they are tried again or revoked. And those whose topic vanished while they were assigned here,
   * until somebody holds them again.
   */
  readonly stalledPartitions: readonly StalledPartition[];
  /** Undefined while the group runs, as far as this member has seen. */
  readonly paused: GroupPause | undefined;
  /** What is read again because the database went back (E10). */
  readonly rereading: readonly RereadPartition[];
  /** As of the last delivery: nobody asks the log for it. */
  readonly lags: readonly PartitionLag[];
  /** Of the last failed unit, until one goes through. */
  readonly lastError: Error | undefined;
}

/**
 * Applies the events of a service's topics, through its handlers.
 *
 * Guarantees: E3 (once per group), E5, E6, E7, E8; order per key (E2). Limits: what is read of the log
 * before it has to wait is bounded by `limits`; an event that fails waits with its
 * key, and is tried again apart from it (letters/redrive.ts).
 */
export class Consumer {
  readonly #ownership = new Ownership();
  readonly #metrics: ConsumerMetrics;
  readonly #upkeep: InboxUpkeep;
  readonly #assignment: Assignment;
  readonly #massPause: MassPause;
  readonly #arrivals: Arrivals;
  readonly #watch: GroupWatch;
  readonly #retaking: Retaking;
  #joining: Promise<Subscription> | undefined;
  #subscription: Subscription | undefined;
  #lastError: Error | undefined;

  constructor(private readonly options: ConsumerOptions) {
    const { group, units, logger, limits = {} } = options;
    const ownership = this.#ownership;
    const backoff = {
      initialBackoffMs: limits.initialBackoffMs ?? 100,
      maxBackoffMs: limits.maxBackoffMs ?? 10_000,
    };
    const onStandstill = this.#onStandstill.bind(this);
    this.#metrics = consumerMetrics(group, () => this.status());
    this.#upkeep = new InboxUpkeep(group, units, logger, options.inboxRetentionDays);
    this.#assignment = new Assignment({
      ...options,
      owner: [options.instance, randomUUID()].filter(Boolean).join('/'),
      unitRecords: limits.maxEvents ?? DEFAULT_MAX_EVENTS,
    });
    this.#massPause = new MassPause({
      group,
      units,
      logger,
      ...(limits.massFailure ? { limits: limits.massFailure } : {}),
    });
    this.#arrivals = new Arrivals({
      ...options,
      ownership,
      backoff,
      metrics: this.#metrics,
      massPause: this.#massPause,
      maxStarts: limits.maxStarts ?? 3,
      onOutcome: (error) => this.#noteOutcome(error),
      onStandstill,
    });
    this.#retaking = new Retaking({
      group,
      logger,
      ownership,
      backoff,
      subscription: () => this.#subscription,
      take: (partitions) => this.#take(partitions),
    });
    this.#watch = new GroupWatch({
      group,
      units,
      logger,
      ownership,
      everyMs: limits.saveSkippedMs ?? 5_000,
      onLost: onStandstill,
    });
  }

  /** Joins the group; resolves when the member runs. Call once. */
  async start(): Promise<void> {
    const topics = this.options.handlers.topics();
    if (this.#subscription)
      throw new InvariantError(`the consumer of ${this.options.group} was started twice`);
    this.#upkeep.start();
    this.#watch.start();
    this.#retaking.start();
    this.#joining = this.options.log.subscribe(this.#subscribing(topics));
    this.#subscription = await this.#joining;
  }

  #subscribing(topics: readonly string[]): SubscribeOptions {
    const { group, limits, logger } = this.options;
    return {
      group,
      topics,
      onAssigned: (partitions) => this.#onAssigned(partitions),
      onRevoked: (partitions, clean) => this.#onRevoked(partitions, clean),
      onBatches: (batches, context) => this.#onBatches(batches, context),
      onPartitionError: (partition, err) => {
        this.#ownership.giveUp(partition, err);
        logger.error({ err, group, ...partition }, 'consumer: a partition stands still, it is not moved');
      },
      onError: (err) => {
        this.#lastError = err;
        logger.warn({ err, group }, 'consumer: the log is in trouble, it goes on by itself');
      },
      maxRecords: limits?.maxEvents ?? DEFAULT_MAX_EVENTS,
      maxBytes: limits?.maxBytes ?? 4 * 1024 * 1024,
      ...(limits?.sessionTimeoutMs ? { sessionTimeoutMs: limits.sessionTimeoutMs } : {}),
    };
  }

  /** Stops fetching, finishes the unit under way, releases the partitions, leaves the group. Idempotent. */
  async stop(): Promise<void> {
    // A join that failed has told whoever called `start`.
    const subscription = await this.#joining?.catch(() => undefined);
    await this.#retaking.stop(); // first: what is being given back must not be taken again
    await subscription?.stop();
    await this.#watch.stop();
    this.#metrics.close();
    await this.#upkeep.stop();
  }

  status(): ConsumerStatus {
    const stalledPartitions = this.#ownership.stalled();
    return {
      assigned: this.#ownership.assigned(),
      running: this.#subscription?.healthy() ?? false,
      stalledPartitions,
      paused: stalledPartitions.map(({ error }) => error).find(isPaused)?.pause,
      rereading: this.#ownership.rereading(),
      lags: this.#ownership.lags(),
      lastError: this.#lastError,
    };
  }

  /** An operator has changed the group through this process: sees it now instead of a little later. */
  nudge(): void {
    this.#watch.nudge();
  }

  /** M1, M2. Rejects while database or log are away: the log asks again, and delivers nothing meanwhile. */
  async #onAssigned(partitions: readonly TopicPartition[]): Promise<readonly Position[]> {
    const { group, logger } = this.options;
    await this.#upkeep.ready();
    const assigned = await this.#take(partitions);
    this.#ownership.take(assigned);
    logger.info({ group, partitions: assigned.length }, 'consumer: partitions assigned');
    return assigned.filter(({ standing }) => standing === undefined);
  }

  /** M2. In the database only. */
  async #take(partitions: readonly TopicPartition[]): Promise<Assigned[]> {
    const wasPaused = this.status().paused !== undefined;
    const assigned = await this.#assignment.take(partitions);
    if (wasPaused && !assigned.some(({ standing }) => isPaused(standing))) this.#massPause.forget();
    return assigned;
  }

  async #onRevoked(partitions: readonly TopicPartition[], clean: boolean): Promise<void> {
    const { group, logger } = this.options;
    const owned = this.#ownership.drop(partitions);
    if (!clean || owned.length === 0) return;
    await this.#assignment.release(owned).catch((err: unknown) => {
      // Not marked as released: their next owner will be careful, which is all that is lost.
      logger.warn({ err, group }, 'consumer: partitions given back without a mark');
    });
  }

  /** M4. Stalled, or another owner's by now: nothing of it is done, nor is it delivered in a busy loop. */
  async #onBatches(batches: readonly Batch[], { signal }: DeliveryContext): Promise<readonly Position[]> {
    const epochs = this.#ownership.epochs();
    const mine = batches.filter((batch) => epochs.has(keyOf(batch)));
    if (mine.length < batches.length)
      this.#subscription?.pause(batches.filter((batch) => !epochs.has(keyOf(batch))));
    return this.#arrivals.handle(mine, epochs, signal);
  }

  #noteOutcome(error: unknown): void {
    this.#lastError =
      error === undefined || error instanceof Error
        ? error
        : new Error('not an Error was thrown', { cause: error });
  }

  /** M4, M5. Each stands still, unless it has been taken anew since. */
  #onStandstill(error: Error, positions: readonly OwnedPosition[]): void {
    const { logger, group } = this.options;
    for (const position of positions) this.#ownership.stall(position, error);
    logger.warn({ err: error, group, partitions: positions.length }, 'consumer: partitions stand still');
    this.#retaking.nudge();
  }
}

function isPaused(error: Error | undefined): error is GroupPausedError {
  return error instanceof GroupPausedError;
}
