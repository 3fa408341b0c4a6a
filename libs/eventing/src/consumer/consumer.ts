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
 * M5 one whose epoch somebody else raised is taken again while the log says that it is ours (retaking.ts).
 */
import { HEADER, type Contracts, type SchemaRegistry } from '@aura/contracts';
import type {
  Batch,
  DeliveryContext,
  EventLog,
  LogRecord,
  Position,
  Subscription,
  TopicPartition,
} from '@aura/event-log';
import { InvariantError, Loop, type Logger } from '@aura/platform';
import { randomUUID } from 'node:crypto';
import type { LetterLimits } from '../letters/letter-limits.js';
import { backoffMs } from '../tasks/task.js';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { Deliveries } from './deliveries.js';
import type { Delivery } from './delivery.js';
import { finishByHalves, Progress } from './halving.js';
import type { Handlers } from './handlers.js';
import { InboxUpkeep } from './inbox-upkeep.js';
import { consumerMetrics, type ConsumerMetrics } from './metrics.js';
import {
  knownPartitions,
  releasePartitions,
  savePositions,
  StaleOwnerError,
  takePartitions,
  type OwnedPosition,
} from './offsets.js';
import { keyOf, Ownership, type StalledPartition } from './ownership.js';
import { pause } from './pause.js';
import { readRecord } from './reading.js';
import { Retaking } from './retaking.js';
import { transact } from './transact.js';

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
  /** How long positions of records that nobody wants may stay unsaved (ms). Default 5,000. */
  readonly saveSkippedMs?: number;
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
  /** Names this process in `consumer_offset.owner`. Default: random. */
  readonly instance?: string;
  readonly limits?: ConsumerLimits;
  readonly letters?: LetterLimits;
}

/** For readiness and for people. */
export interface ConsumerStatus {
  readonly assigned: readonly TopicPartition[];
  /** Part of its group, with a living loop. */
  readonly running: boolean;
  /**
   * Assigned partitions that stand still, with the reason: until somebody acts, or, for a `StaleOwnerError`,
   * until the partition is taken again or revoked.
   */
  readonly stalledPartitions: readonly StalledPartition[];
  /** Of the last failed unit, until one goes through. */
  readonly lastError: Error | undefined;
}

/**
 * Applies the events of a service's topics, through its handlers.
 *
 * Guarantees: E3 (once per group), E5, E6, E7, E8; order per key (E2). Limits: what is read of the log
 * before it has to wait is bounded by `limits`; a failed event's attempts are not repeated by itself yet:
 * it waits in sight (`listParked`).
 */
export class Consumer {
  readonly #ownership = new Ownership();
  readonly #metrics: ConsumerMetrics;
  readonly #upkeep: InboxUpkeep;
  readonly #saver: Loop;
  readonly #retaking: Retaking;
  readonly #instance: string;
  readonly #backoff: { initialBackoffMs: number; maxBackoffMs: number };
  #joining: Promise<Subscription> | undefined;
  #subscription: Subscription | undefined;
  #lastError: Error | undefined;

  constructor(private readonly options: ConsumerOptions) {
    const { group, units, logger, limits } = options;
    this.#instance = options.instance ?? randomUUID();
    this.#metrics = consumerMetrics(group);
    this.#upkeep = new InboxUpkeep(units, logger);
    this.#backoff = {
      initialBackoffMs: limits?.initialBackoffMs ?? 100,
      maxBackoffMs: limits?.maxBackoffMs ?? 10_000,
    };
    this.#retaking = new Retaking({
      group,
      logger,
      ownership: this.#ownership,
      backoff: this.#backoff,
      subscription: () => this.#subscription,
      take: (partitions) => this.#take(partitions),
    });
    this.#saver = new Loop({
      name: `consumer positions of ${group}`,
      idleMs: limits?.saveSkippedMs ?? 5_000,
      round: async () => {
        await this.#saveSkipped();
        return 'wait';
      },
      onError: (err) => logger.warn({ err, group }, 'consumer: positions not saved yet, trying again'),
    });
  }

  /**
   * Joins the group; resolves when the member runs. Does nothing in a service without handlers. Call once.
   */
  async start(): Promise<void> {
    const topics = this.options.handlers.topics();
    if (topics.length === 0) return;
    if (this.#subscription)
      throw new InvariantError(`the consumer of ${this.options.group} was started twice`);
    const { limits, logger, group } = this.options;
    this.#upkeep.start();
    this.#saver.start();
    this.#retaking.start();
    this.#joining = this.options.log.subscribe({
      group,
      topics,
      onAssigned: (partitions) => this.#onAssigned(partitions),
      onRevoked: (partitions, clean) => this.#onRevoked(partitions, clean),
      onBatches: (batches, context) => this.#onBatches(batches, context),
      onPartitionError: (partition, err) => {
        this.#ownership.stall(partition, err);
        logger.error({ err, group, ...partition }, 'consumer: a partition stands still, it is not moved');
      },
      onError: (err) => {
        this.#lastError = err;
        logger.warn({ err, group }, 'consumer: the log is in trouble, it goes on by itself');
      },
      maxRecords: limits?.maxEvents ?? 500,
      maxBytes: limits?.maxBytes ?? 4 * 1024 * 1024,
      ...(limits?.sessionTimeoutMs ? { sessionTimeoutMs: limits.sessionTimeoutMs } : {}),
    });
    this.#subscription = await this.#joining;
  }

  /** Stops fetching, finishes the unit under way, releases the partitions, leaves the group. Idempotent. */
  async stop(): Promise<void> {
    // A join that failed has told whoever called `start`.
    const subscription = await this.#joining?.catch(() => undefined);
    await this.#retaking.stop(); // first: what is being given back must not be taken again
    await subscription?.stop();
    await this.#saver.stop();
    await this.#upkeep.stop();
  }

  status(): ConsumerStatus {
    return {
      assigned: this.#ownership.assigned(),
      running: this.#subscription?.healthy() ?? false,
      stalledPartitions: this.#ownership.stalled(),
      lastError: this.#lastError,
    };
  }

  /** M1, M2. Rejects while the database is away: the log asks again, and delivers nothing meanwhile. */
  async #onAssigned(partitions: readonly TopicPartition[]): Promise<readonly Position[]> {
    const { group, logger } = this.options;
    await this.#upkeep.ready();
    const owned = await this.#take(partitions);
    this.#ownership.take(owned);
    logger.info({ group, partitions: owned.length }, 'consumer: partitions assigned');
    return owned;
  }

  /** M2. In the database only. */
  async #take(partitions: readonly TopicPartition[]): Promise<OwnedPosition[]> {
    const { units, group } = this.options;
    const starts = await this.#starts(partitions);
    return transact(units, `the assignment of partitions to ${group}`, (client) =>
      takePartitions(client, group, this.#instance, starts),
    );
  }

  /**
   * Where each would start if the group has no row for it: a new group, a new topic, or a partition that
   * was added.
   */
  async #starts(partitions: readonly TopicPartition[]): Promise<Position[]> {
    const { units, group, log, logger } = this.options;
    const topics = [...new Set(partitions.map(({ topic }) => topic))];
    const rows = await transact(units, `a look at the offsets of ${group}`, (client) =>
      knownPartitions(client, group, topics),
    );
    const known = new Set(rows.map(keyOf));
    const firsts = new Map<string, bigint>();
    for (const topic of topics) {
      if (partitions.every((p) => p.topic !== topic || known.has(keyOf(p)))) continue;
      for (const { partition, first } of await this.options.log.bounds(topic))
        firsts.set(keyOf({ topic, partition }), first);
      logger.info({ group, topic, log: log.kind }, 'consumer: new here, starts at the first record kept');
    }
    return partitions.map((p) => ({ ...p, offset: firsts.get(keyOf(p)) ?? 0n }));
  }

  async #onRevoked(partitions: readonly TopicPartition[], clean: boolean): Promise<void> {
    const { units, group, logger } = this.options;
    const owned = this.#ownership.drop(partitions);
    if (!clean || owned.length === 0) return;
    await transact(units, `the release of partitions of ${group}`, (client) =>
      releasePartitions(client, group, owned),
    ).catch((err: unknown) => {
      // Not marked as released: their next owner will be careful, which is all that is lost.
      logger.warn({ err, group }, 'consumer: partitions given back without a mark');
    });
  }

  async #onBatches(batches: readonly Batch[], { signal }: DeliveryContext): Promise<readonly Position[]> {
    const epochs = this.#ownership.epochs();
    const mine = batches.filter((batch) => epochs.has(keyOf(batch)));
    // M4. Stalled, or another owner's by now: nothing of it is done, and it must not be delivered in a busy
    // loop.
    if (mine.length < batches.length)
      this.#subscription?.pause(batches.filter((batch) => !epochs.has(keyOf(batch))));
    const progress = new Progress(mine);
    const wanted = this.#drop(mine, progress);
    const deliveries = await this.#read(wanted, signal);
    if (!signal.aborted) await finishByHalves(deliveries, this.#deliveries(epochs, progress, signal));
    const positions = progress.positions();
    this.#ownership.reached(positions.map((position) => ownedUnder(position, epochs)));
    return positions;
  }

  /** M3. What some handler wants, in arrival order; the rest is finished. */
  #drop(batches: readonly Batch[], progress: Progress): LogRecord[] {
    const { handlers } = this.options;
    const wanted: LogRecord[] = [];
    const skipped: LogRecord[] = [];
    for (const { records } of batches)
      for (const record of records) {
        const takers = handlers.of(record.headers[HEADER.type] ?? '');
        (takers.length > 0 ? wanted : skipped).push(record);
      }
    progress.finish(skipped);
    this.#metrics.skipped(skipped.length);
    return wanted;
  }

  /**
   * Up to the first record whose schema can't be asked for now: what stands before it goes first. Waits
   * where nothing does.
   */
  async #read(wanted: readonly LogRecord[], signal: AbortSignal): Promise<Delivery[]> {
    const { units, logger, group } = this.options;
    const deliveries: Delivery[] = [];
    for (let failures = 1; ; failures++)
      try {
        for (const record of wanted)
          deliveries.push(await readRecord(this.options, record, units.clock.now()));
        return deliveries;
      } catch (err) {
        this.#noteOutcome(err);
        if (deliveries.length > 0 || signal.aborted) return deliveries;
        const afterMs = backoffMs(failures, Math.random(), this.#backoff);
        logger.warn({ err, group, afterMs }, 'consumer: a schema can’t be asked for now, waiting');
        await pause(afterMs, signal);
      }
  }

  #deliveries(epochs: ReadonlyMap<string, bigint>, progress: Progress, signal: AbortSignal): Deliveries {
    const { group, handlers, units, logger, letters } = this.options;
    const context = {
      group,
      handlers,
      units,
      letters,
      logger,
      metrics: this.#metrics,
      backoff: this.#backoff,
      owned: (position: Position) => ownedUnder(position, epochs),
      onSaved: this.#ownership.saved.bind(this.#ownership),
      onOutcome: (error: unknown) => this.#noteOutcome(error),
      onStale: (error: StaleOwnerError) =>
        this.#lose(
          error,
          error.partitions.map((partition) => ownedUnder({ ...partition, offset: 0n }, epochs)),
        ),
    };
    return new Deliveries(context, progress, signal);
  }

  #noteOutcome(error: unknown): void {
    this.#lastError =
      error === undefined || error instanceof Error
        ? error
        : new Error('not an Error was thrown', { cause: error });
  }

  async #saveSkipped(): Promise<void> {
    const { units, group } = this.options;
    const positions = this.#ownership.unsaved();
    if (positions.length === 0) return;
    try {
      await transact(units, `positions of ${group}`, (client) => savePositions(client, group, positions));
      this.#ownership.saved(positions);
    } catch (error) {
      if (!(error instanceof StaleOwnerError)) throw error;
      const lost = new Set(error.partitions.map(keyOf));
      this.#lose(
        error,
        positions.filter((position) => lost.has(keyOf(position))),
      );
    }
  }

  /** M5. Each stands still, unless it has been taken anew since. */
  #lose(error: StaleOwnerError, lost: readonly OwnedPosition[]): void {
    const { logger, group } = this.options;
    for (const { topic, partition, epoch } of lost) this.#ownership.stall({ topic, partition }, error, epoch);
    logger.warn({ err: error, group }, 'consumer: another member owns these partitions');
    this.#retaking.nudge();
  }
}

/** A position under the epoch that its unit runs under; none is 0: nothing is saved for it. */
function ownedUnder(position: Position, epochs: ReadonlyMap<string, bigint>): OwnedPosition {
  return { ...position, epoch: epochs.get(keyOf(position)) ?? 0n };
}
