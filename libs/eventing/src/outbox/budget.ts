/**
 * The budget of the outbox (E9): while the log is away a service goes on committing, but not until its disk
 * is full.
 *
 * G1, G2 in budget-rules.ts;
 * G3 only new work is refused: what a person's request raises. What consumers and tasks raise finishes
 *    work that others wait for, and passes;
 * G4 it works in every replica, whether or not it leads: it looks at the saved cursor. It looks when
 *    something was raised, at most every `refreshMs`; while something waits; and not at all otherwise. So
 *    it may be late by what is raised in that time.
 */
import { InvariantError, Loop, TransientError, type Logger, type Next } from '@aura/platform';
import type { Pool, QueryResult } from 'pg';
import type { Finding } from '../operations/operations.js';
import { BudgetMetrics } from './budget-metrics.js';
import { nextState, shareOf, type BudgetLimits, type BudgetState, type Waiting } from './budget-rules.js';

export interface OutboxBudgetOptions {
  readonly service: string;
  readonly pool: Pool;
  readonly logger: Logger;
  /** Default: 1 GiB, 24 hours. */
  readonly limits?: Partial<BudgetLimits>;
  /** Default 2,000 (ms). */
  readonly refreshMs?: number;
}

export interface BudgetStatus {
  readonly state: BudgetState;
  /** Of the budget; 1 is all of it. */
  readonly share: number;
  readonly waiting: Waiting;
}

/** New work is refused because what was raised before could not be published yet. */
export class OutboxFullError extends TransientError {}

const GIB = 1024 ** 3;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const DEFAULT_LIMITS: BudgetLimits = { maxBytes: GIB, maxAgeMs: DAY_MS };
/** While something waits that is no alarm. */
const WAITING_MS = 30_000;

/** Rows that are weighed at either end of what waits. */
const SAMPLE = 50;
const WEIGH = `pg_column_size(body) + pg_column_size(headers) + octet_length(key) + octet_length(topic)
                 + octet_length(type) + 128 as bytes`;
/** A transaction that was under way at the last look began no earlier before it than this. */
const LONGEST_TRANSACTION_MS = HOUR_MS;

/**
 * What waits, by the indexes: the rows next to the cursor and the newest are weighed, those in between are
 * counted by their positions (which counts rolled back ones as well). `from`: nothing older waits, so the
 * days before it are not even planned: with 400 of them that is 500 ms. One simple query, so one
 * transaction, planned anew each time: a plan made while the outbox was empty would read all of it later.
 */
export const measureText = (from: Date | undefined): string => {
  const rows = `from aura.outbox where raised_at >= '${from?.toISOString() ?? '-infinity'}'::timestamptz`;
  return `
select set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true);
select c.pending + case when next.rows < ${SAMPLE} then next.rows else newest.last - c.position end as rows,
       coalesce((next.bytes + newest.bytes) / nullif(next.rows + newest.rows, 0), 0)::float8 as row_bytes,
       least(next.since, oldest.since) as since, now() as now
  from (select coalesce(max(position), 0) as position,
               coalesce(max(jsonb_array_length(pending)), 0) as pending
          from aura.relay_cursor) as c
 cross join lateral (
   select count(*) as rows, coalesce(sum(bytes), 0) as bytes, min(raised_at) as since
     from (select raised_at, ${WEIGH} ${rows}
              and position > c.position order by position limit ${SAMPLE}) as sample) as next
 cross join lateral (
   select count(*) as rows, coalesce(sum(bytes), 0) as bytes, max(position) as last
     from (select position, ${WEIGH} ${rows}
              and position > c.position order by position desc limit ${SAMPLE}) as sample) as newest
 cross join lateral (
   select min(raised_at) as since ${rows}
      and position = (select min(waiting::bigint)
                        from aura.relay_cursor, jsonb_array_elements_text(pending) as waiting)) as oldest`;
};

interface Measured {
  readonly rows: string;
  readonly row_bytes: number;
  readonly since: Date | null;
  readonly now: Date;
}

/** Measures what waits in one outbox, and refuses new work when it is too much. One per process. */
export class OutboxBudget {
  readonly #limits: BudgetLimits;
  readonly #refreshMs: number;
  readonly #metrics: BudgetMetrics;
  readonly #loop: Loop;
  #status: BudgetStatus = { state: 'open', share: 0, waiting: { rows: 0, bytes: 0, ageMs: 0 } };
  /** Nothing that waits was raised before; undefined: not known. */
  #from: Date | undefined;
  /** When the next look is due; undefined where nothing asks for one. */
  #dueAtMs: number | undefined;

  constructor(private readonly options: OutboxBudgetOptions) {
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#refreshMs = options.refreshMs ?? 2_000;
    this.#metrics = new BudgetMetrics(options.service, () => this.#status);
    this.#loop = new Loop({
      name: 'outbox.budget',
      idleMs: HOUR_MS,
      backoff: { initialMs: 500, maxMs: 10_000 },
      round: () => this.#round(),
      onError: (err) =>
        options.logger.debug({ err }, 'outbox: what waits could not be measured, trying again'),
    });
  }

  start(): void {
    this.#metrics.start();
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#metrics.stop();
    await this.#loop.stop();
  }

  /** Something was raised. Costs nothing; the look comes later, when most of it is published already. */
  raised(): void {
    if (this.#dueAtMs !== undefined) return;
    this.#dueAtMs = performance.now() + this.#refreshMs;
    this.#loop.nudge();
  }

  /** G3. Throws `OutboxFullError` while the budget is used up. No round trip. */
  admit(): void {
    if (this.#status.state !== 'full') return;
    this.#metrics.refused();
    this.raised();
    throw new OutboxFullError(
      `${this.options.service} takes no new work: ${this.#words()}. What is under way goes on. It opens by ` +
        'itself when less waits: see to the relay and the log (`npm run aura -- doctor`)',
    );
  }

  status(): BudgetStatus {
    return this.#status;
  }

  /** Looks now, at all of the outbox. */
  async measure(): Promise<BudgetStatus> {
    this.#from = undefined;
    const status = await this.#measure();
    if (status.state !== 'open') this.raised(); // look again soon, whoever asked
    return status;
  }

  async #measure(): Promise<BudgetStatus> {
    const results = (await this.options.pool.query(measureText(this.#from))) as unknown as QueryResult[];
    const [row] = (results[1]?.rows ?? []) as Measured[];
    if (!row) throw new InvariantError('the outbox gave no answer to what waits in it');
    const rows = Number(row.rows);
    const since = row.since ?? row.now;
    this.#from = new Date(since.getTime() - LONGEST_TRANSACTION_MS);
    const ageMs = row.now.getTime() - since.getTime();
    const waiting = { rows, bytes: Math.round(rows * row.row_bytes), ageMs };
    const share = shareOf(waiting, this.#limits);
    const before = this.#status.state;
    this.#status = { state: nextState(before, share), share, waiting };
    if (this.#status.state !== before) this.#tell(before);
    return this.#status;
  }

  /** What an operator should know. Measures. */
  async findings(): Promise<Finding[]> {
    const { state } = await this.measure();
    if (state === 'open') return [];
    const refused = state === 'full' ? 'new work is refused' : 'past it new work is refused';
    return [
      {
        code: state === 'full' ? 'outbox-full' : 'outbox-filling',
        severity: 'alarm',
        subject: this.options.service,
        words: `${this.#words()}; ${refused}. See to the relay and the log`,
        command: 'relay status',
      },
    ];
  }

  /** G4. */
  async #round(): Promise<Next> {
    const restMs = (this.#dueAtMs ?? 0) - performance.now();
    if (restMs > 0) return { afterMs: restMs };
    // By the backstop: the relay may have been set back to older events (E10).
    const asked = this.#dueAtMs !== undefined || this.#status.waiting.rows > 0;
    this.#dueAtMs = undefined;
    if (!asked) this.#from = undefined;
    const { state, waiting } = await this.#measure();
    if (state !== 'open') return { afterMs: this.#refreshMs };
    return waiting.rows > 0 ? { afterMs: WAITING_MS } : 'wait';
  }

  #tell(before: BudgetState): void {
    const { state, share, waiting } = this.#status;
    const fields = { state, share: Math.round(share * 100) / 100, ...waiting };
    if (state === 'open') this.options.logger.info(fields, 'outbox: its budget is sufficient again');
    else if (state === 'full')
      this.options.logger.error(fields, `outbox: new work is refused: ${this.#words()}`);
    else if (before === 'full') this.options.logger.warn(fields, 'outbox: takes new work again');
    else this.options.logger.error(fields, `outbox: most of its budget is used: ${this.#words()}`);
  }

  #words(): string {
    const { rows, bytes, ageMs } = this.#status.waiting;
    const since = new Date(Date.now() - ageMs).toISOString();
    return (
      `about ${rows} events (${mib(bytes)}) are not published, the oldest since ${since}; the budget is ` +
      `${mib(this.#limits.maxBytes)} and ${Math.round(this.#limits.maxAgeMs / 60_000)} minutes`
    );
  }
}

const mib = (bytes: number): string => `${Math.round((bytes / 1024 ** 2) * 10) / 10} MiB`;
