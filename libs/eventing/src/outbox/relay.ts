import type { SchemaRegistry } from '@aura/contracts';
import type { EventLog } from '@aura/event-log';
import {
  asError,
  Loop,
  systemClock,
  type Clock,
  type Logger,
  type Next,
  type Queryable,
} from '@aura/platform';
import type { ClientConfig } from 'pg';
import type { TimeGuardOptions } from '../guards/time-guard.js';
import { Leader, type RelayLimits } from './leader.js';
import { LockSession } from './lock-session.js';
import { Publisher } from './publishing.js';
import { RelayMetrics, type RelayFigures } from './relay-metrics.js';
import { checkOutboxShape, checkSessionState } from './shape.js';

export interface RelayOptions {
  /**
   * A direct connection to the service's database, or through a pool in session mode; never in transaction
   * mode.
   */
  readonly connection: ClientConfig;
  /** The service's pool: where schemas are looked up. */
  readonly db: Queryable;
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
  /** `ce_source`: the name of the service. */
  readonly source: string;
  readonly logger: Logger;
  readonly limits?: Partial<RelayLimits>;
  /** Topics that are compared with the outbox whether or not it knows them. Default `<source>.events`. */
  readonly topics?: readonly string[];
  /** Finds a replay that has to end before publishing goes on (E10). */
  readonly findReplay?: TimeGuardOptions['findReplay'];
  /** How often a standby asks for the lock (ms). Default 1,000. */
  readonly standbyMs?: number;
  readonly clock?: Clock;
  /** Monotonic, ms. Default `performance.now`. */
  readonly nowMs?: () => number;
}

export interface RelayStatus {
  /** False: another replica publishes, or nobody can. */
  readonly leader: boolean;
  /** Not published yet; undefined while this replica does not lead. An estimate where there are many. */
  readonly lagRows: number | undefined;
  readonly lagSeconds: number | undefined;
  readonly parkedKeys: number | undefined;
  /** Why it stands by or does not publish; undefined while all goes well. */
  readonly lastError: Error | undefined;
}

const MIB = 1024 * 1024;
const DEFAULT_LIMITS: RelayLimits = {
  readRows: 500,
  readBytes: 4 * MIB,
  batchRows: 500,
  batchBytes: 4 * MIB,
  appends: 4,
  waitingRows: 5_000,
  waitingBytes: 32 * MIB,
  gaps: 10_000,
  saveEveryMs: 100,
  heartbeatMs: 2_000,
  tailWindow: 1_000,
  recheckMs: 30_000,
  backoff: { initialMs: 100, maxMs: 5_000 },
};

/**
 * Publishes the outbox of one database to the log: start one in every replica, one of them leads.
 *
 * Guarantees: what was committed is published, what was rolled back is not (E1); records of a key in commit
 * order (E2); the saved cursor passes only what its own partition acknowledged, or what is saved beside it
 * (E4); a crash at any statement repeats records, never loses one (E8). A frozen leader loses its lock
 * within 4 s. Limits: records may repeat after a crash (readers drop by event id). A partition that fails
 * for the first time delays the append that it is in; then it waits alone. Waiting rows are bounded over
 * all partitions: past it reading stops (E9). Errors: `start` throws `InvariantError` where the outbox or
 * the connection can't keep these promises (H7); afterwards failures are logged, shown by `status`, and
 * tried again with back-off.
 */
export class Relay {
  readonly #limits: RelayLimits;
  readonly #publisher: Publisher;
  readonly #metrics: RelayMetrics;
  readonly #loop: Loop;
  readonly #clock: Clock;
  readonly #nowMs: () => number;
  #session: LockSession | undefined;
  #leader: Leader | undefined;
  #roundError: Error | undefined;
  #publishError: Error | undefined;
  #timeError: Error | undefined;
  /** Of the last comparison: the next one that goes well ends it, also where nothing is published. */
  #compareError: Error | undefined;

  constructor(private readonly options: RelayOptions) {
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#publisher = new Publisher({ ...options, nowMs: this.#nowMs });
    this.#metrics = new RelayMetrics(options.source, () => this.#figures());
    this.#loop = new Loop({
      name: 'outbox.relay',
      idleMs: this.#limits.heartbeatMs,
      backoff: this.#limits.backoff,
      round: () => this.#round(),
      onError: (error, failures) => {
        options.logger.warn({ err: error, failures }, 'relay: stands by again after an error');
      },
    });
  }

  /** Checks what the promise rests on, then runs. */
  async start(): Promise<void> {
    await this.#checkConnection();
    this.#metrics.start();
    this.#loop.start();
  }

  /** Something was committed: read at once. */
  nudge(): void {
    if (!this.#leader) return;
    this.#leader.wanted();
    this.#loop.nudge();
  }

  /**
   * Publishes what there is, and saves; stands by where another leads. For tests: rejects with what went
   * wrong.
   */
  async runOnce(): Promise<void> {
    this.#leader?.wanted();
    await this.#loop.runOnce();
    while (this.#leader?.busy) {
      await this.#leader.progress();
      await this.#loop.runOnce();
    }
    await this.#leader?.flush();
  }

  /**
   * Waits for appends under way (up to `graceMs`), saves the cursor, gives the lock to a standby. Idempotent.
   */
  async stop(graceMs = 5_000): Promise<void> {
    await this.#loop.stop();
    this.#metrics.stop();
    const [leader, session] = [this.#leader, this.#session];
    this.#leader = undefined;
    this.#session = undefined;
    await (leader ? leader.stop(graceMs) : session?.close());
  }

  status(): RelayStatus {
    const lag = this.#figures();
    return {
      leader: this.#leader !== undefined,
      lagRows: lag?.rows,
      lagSeconds: lag?.seconds,
      parkedKeys: lag?.parkedKeys,
      lastError:
        this.#roundError ??
        this.#leader?.stoppedByTime ??
        this.#timeError ??
        this.#leader?.readingStopped ??
        this.#compareError ??
        this.#publishError,
    };
  }

  async #round(): Promise<Next> {
    try {
      this.#leader ??= await this.#standBy();
      const next = await this.#leader?.round();
      this.#roundError = undefined;
      if (this.#leader?.cleared) this.#timeError = undefined;
      this.#timeError = this.#leader?.stoppedByTime ?? this.#timeError;
      if (this.#leader?.over && this.#session) this.#leader = await this.#lead(this.#session);
      return next ?? { afterMs: this.options.standbyMs ?? 1_000 };
    } catch (error) {
      this.#roundError = asError(error);
      await this.#abandon();
      throw error;
    }
  }

  /** Asks for the lock once. */
  async #standBy(): Promise<Leader | undefined> {
    if (this.#session?.lost) await this.#abandon();
    // A lost connection makes a round due: it fails, and this replica stands by again.
    this.#session ??= await LockSession.open(this.options.connection, () => this.#loop.nudge());
    if (!(await this.#session.tryLock())) return undefined;
    await checkOutboxShape(this.#session);
    const leader = await this.#lead(this.#session);
    this.options.logger.info({}, 'relay: leads');
    return leader;
  }

  /** `session` holds the lock. */
  #lead(session: LockSession): Promise<Leader> {
    return Leader.begin(session, {
      log: this.options.log,
      source: this.options.source,
      topics: this.options.topics ?? [`${this.options.source}.events`],
      findReplay: this.options.findReplay,
      publisher: this.#publisher,
      limits: this.#limits,
      logger: this.options.logger,
      metrics: this.#metrics,
      nowMs: this.#nowMs,
      onProgress: () => this.#loop.nudge(),
      onError: (error) => this.#onPublishError(error),
      onCompared: (error) => this.#onCompared(error),
      onPublished: () => (this.#publishError = undefined),
    });
  }

  async #abandon(): Promise<void> {
    const [leader, session] = [this.#leader, this.#session];
    this.#leader = undefined;
    this.#session = undefined;
    await (leader ? leader.abandon() : session?.discard());
  }

  #onCompared(error: unknown): void {
    this.#compareError = error === undefined ? undefined : asError(error);
    if (error) this.options.logger.warn({ err: error }, 'relay: could not ask the log, trying again');
  }

  #onPublishError(error: unknown): void {
    this.#publishError = asError(error);
    this.options.logger.warn({ err: error }, 'relay: could not publish, trying again');
  }

  async #checkConnection(): Promise<void> {
    const session = await LockSession.open(this.options.connection, ignore);
    try {
      const other = await LockSession.open(this.options.connection, ignore);
      try {
        await checkOutboxShape(session);
        await checkSessionState(session, other, `relay ${session.pid}`);
      } finally {
        await other.close();
      }
    } finally {
      await session.close();
    }
  }

  #figures(): RelayFigures | undefined {
    if (!this.#leader) return undefined;
    const { oldestRaisedAt: oldest, lagRows, parkedKeys, stoppedByTime } = this.#leader;
    const ageMs = oldest ? this.#clock.now().getTime() - oldest.getTime() : 0;
    const seconds = Math.max(0, ageMs / 1_000);
    return { rows: lagRows, seconds, parkedKeys, stopped: stoppedByTime !== undefined };
  }
}

const ignore = (): void => undefined;
