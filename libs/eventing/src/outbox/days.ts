/**
 * D1 today's partition and a week ahead exist before the first event of a service is raised: without one
 *    every insert fails (H24);
 * D2 a partition is made as a table of its own and attached then: that takes SHARE UPDATE EXCLUSIVE on the
 *    outbox, which stops nobody who reads or writes; and never waits longer than `lock_timeout`, because
 *    writers would queue behind it.
 */
import {
  codeOf,
  Loop,
  run,
  statement,
  TransientError,
  withClient,
  type Logger,
  type Next,
  type Queryable,
} from '@aura/platform';
import type { Pool, PoolClient } from 'pg';
import type { Finding } from '../operations/operations.js';
import { DAYS_LOCK, LOCK_SPACE } from './lock-session.js';
import { DaysMetrics } from './days-metrics.js';
import { OutboxRetention, retentionFindings } from './retention.js';

export interface OutboxDaysOptions {
  readonly pool: Pool;
  readonly logger: Logger;
  /** Names it in metrics. */
  readonly service?: string;
  /** Default 7. */
  readonly daysAhead?: number;
  /** Default one hour. */
  readonly everyMs?: number;
  /** Days are dropped when they ended so many days ago and nobody needs them. Default: everything is kept. */
  readonly retentionDays?: number;
}

const HOUR_MS = 3_600_000;
/** A day that is in use is tried again after this long. */
const BUSY_MS = 60_000;
/** Fewer days than this ahead is an alarm. */
const ALARM_DAYS = 2;

const SHORT_WAIT = statement('outbox_day_timeout', `select set_config('lock_timeout', '200ms', true)`);
const LOCK = statement('outbox_day_lock', 'select pg_try_advisory_xact_lock($1, $2) as locked');

/**
 * Days in UTC, by the database's clock, that have no partition; yesterday's for transactions that began
 * before midnight.
 */
const MISSING = statement(
  'outbox_day_missing',
  `select to_char(day, 'YYYYMMDD') as name, to_char(day, 'YYYY-MM-DD') as first,
          to_char(day + 1, 'YYYY-MM-DD') as next,
          day - (now() at time zone 'utc')::date as ahead
     from (select (now() at time zone 'utc')::date + n as day
             from generate_series(-1, $1::int) as n) as wanted
    where not exists (
      select from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'aura.outbox'::regclass and c.relname = 'outbox_' || to_char(day, 'YYYYMMDD'))
    order by day`,
);

interface MissingDay {
  name: string;
  first: string;
  next: string;
  ahead: number;
}

/**
 * Keeps the partitions of `aura.outbox` made ahead, and drops the oldest where there is a retention. Any
 * number of replicas may run one.
 */
export class OutboxDays {
  readonly #loop: Loop;
  readonly #metrics: DaysMetrics;
  readonly #retention: OutboxRetention | undefined;

  constructor(private readonly options: OutboxDaysOptions) {
    const { pool, logger, service = '', retentionDays, everyMs = HOUR_MS } = options;
    this.#metrics = new DaysMetrics('outbox', service);
    if (retentionDays !== undefined) this.#retention = new OutboxRetention({ pool, logger, retentionDays });
    this.#loop = new Loop({
      name: 'outbox.days',
      idleMs: everyMs,
      backoff: { initialMs: 100, maxMs: Math.min(30_000, everyMs) },
      round: () => this.#round(),
      onError: (error, failures) => void this.#warn(error, failures),
    });
  }

  /** D1. Resolves when the days are there; call it before the service raises anything. */
  async start(attempts = 50): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#make();
        break;
      } catch (error) {
        if (attempt >= attempts || !isBusy(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 100));
      }
    }
    this.#metrics.start();
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#metrics.stop();
    await this.#loop.stop();
  }

  /** Makes days, and drops those that may go. */
  async #round(): Promise<Next> {
    await this.#make();
    const round = await this.#retention?.runOnce();
    if (round) this.#metrics.kept(round.kept);
    return round?.busy ? { afterMs: BUSY_MS } : 'wait';
  }

  async #make(): Promise<void> {
    const { pool, daysAhead = 7 } = this.options;
    await withClient(pool, async (client) => {
      while ((await run(client, MISSING, [daysAhead])).length > 0)
        await inTransaction(client, makeFirst, daysAhead);
    });
    this.#metrics.madeAhead(daysAhead);
  }

  async #warn(error: unknown, failures: number): Promise<void> {
    const { pool, logger } = this.options;
    const missing = await missingOrUnknown(pool);
    const fields = { err: error, failures, missing };
    if (missing.length > 0) logger.error(fields, 'outbox: partitions of the next days are missing');
    else logger.warn(fields, 'outbox: its days could not be looked after, trying again');
  }
}

/**
 * What an operator should know of the partitions of the outbox: days that are missing soon (H24), and days
 * that stay longer than `retentionDays`, with what needs them.
 */
export async function outboxDaysFindings(db: Queryable, retentionDays?: number): Promise<Finding[]> {
  const missing = await missingDays(db, ALARM_DAYS);
  const findings: Finding[] = missing.map((day) => ({
    code: 'outbox-day-missing',
    severity: 'alarm',
    subject: `aura.outbox_${day}`,
    words:
      `is not there: on ${day} nothing can be raised. A running service makes it by itself, hourly and at ` +
      'its start: its log says what keeps it from doing so',
    command: undefined,
  }));
  return retentionDays === undefined
    ? findings
    : [...findings, ...(await retentionFindings(db, retentionDays))];
}

/** One day per transaction: what is attached holds its lock until the commit. */
async function makeFirst(client: PoolClient, daysAhead: number): Promise<void> {
  await run(client, SHORT_WAIT);
  const [lock] = await run<{ locked: boolean }>(client, LOCK, [LOCK_SPACE, DAYS_LOCK]);
  if (!lock?.locked) throw new BusyError('another replica makes partitions of the outbox');
  const [day] = await run<MissingDay>(client, MISSING, [daysAhead]);
  if (!day) return;
  const table = `aura.outbox_${day.name}`;
  // Left by nobody: the table and its place are one transaction. The identity stays with the parent.
  await client.query(`create table ${table} (like aura.outbox including defaults including constraints)`);
  await client.query(
    `alter table aura.outbox attach partition ${table}
     for values from ('${day.first} 00:00:00+00') to ('${day.next} 00:00:00+00')`,
  );
}

/** Names of the days from today that have no partition. */
async function missingDays(db: Queryable, daysAhead: number): Promise<string[]> {
  const days = await run<MissingDay & Record<string, unknown>>(db, MISSING, [daysAhead]);
  return days.filter((day) => day.ahead >= 0).map((day) => day.name);
}

/** None where the database can't say: the round's own error says what is wrong. */
async function missingOrUnknown(db: Queryable): Promise<string[]> {
  try {
    return await missingDays(db, ALARM_DAYS);
  } catch {
    return []; // see above
  }
}

class BusyError extends TransientError {}

const isBusy = (error: unknown): boolean => error instanceof BusyError || codeOf(error) === '55P03';

async function inTransaction(
  client: PoolClient,
  fn: (client: PoolClient, daysAhead: number) => Promise<void>,
  daysAhead: number,
): Promise<void> {
  await client.query('begin');
  try {
    await fn(client, daysAhead);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined); // the error that brought us here says more
    throw error;
  }
}
