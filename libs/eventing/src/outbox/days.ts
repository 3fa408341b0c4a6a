/**
 * D1 today's partition and a week ahead exist before the first event of a service is raised: without one
 *    every insert fails (H24);
 * D2 a partition is made as a table of its own and attached then: that takes SHARE UPDATE EXCLUSIVE on the
 *    outbox, which stops nobody who reads or writes; and never waits longer than `lock_timeout`, because
 *    writers would queue behind it.
 */
import { codeOf, Loop, run, statement, TransientError, withClient, type Logger } from '@aura/platform';
import type { Pool, PoolClient } from 'pg';
import { DAYS_LOCK, LOCK_SPACE } from './lock-session.js';

export interface OutboxDaysOptions {
  readonly pool: Pool;
  readonly logger: Logger;
  /** Default 7. */
  readonly daysAhead?: number;
  /** Default one hour. */
  readonly everyMs?: number;
}

const HOUR_MS = 3_600_000;
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

/** Keeps the partitions of `aura.outbox` made ahead. Any number of replicas may run one. */
export class OutboxDays {
  readonly #loop: Loop;

  constructor(private readonly options: OutboxDaysOptions) {
    const everyMs = options.everyMs ?? HOUR_MS;
    this.#loop = new Loop({
      name: 'outbox.days',
      idleMs: everyMs,
      backoff: { initialMs: 100, maxMs: Math.min(30_000, everyMs) },
      round: async () => {
        await this.#make();
        return 'wait';
      },
      onError: (error, failures) => void this.#warn(error, failures),
    });
  }

  /** D1. Resolves when the days are there; call it before the service raises anything. */
  async start(attempts = 50): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#loop.runOnce();
        break;
      } catch (error) {
        if (attempt >= attempts || !isBusy(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 100));
      }
    }
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #make(): Promise<void> {
    const { pool, daysAhead = 7 } = this.options;
    await withClient(pool, async (client) => {
      while ((await run(client, MISSING, [daysAhead])).length > 0)
        await inTransaction(client, makeFirst, daysAhead);
    });
  }

  async #warn(error: unknown, failures: number): Promise<void> {
    const { pool, logger } = this.options;
    const missing = await missingDays(pool, ALARM_DAYS);
    const fields = { err: error, failures, missing };
    if (missing.length > 0) logger.error(fields, 'outbox: partitions of the next days are missing');
    else logger.warn(fields, 'outbox: could not make the partitions ahead, trying again');
  }
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

/** Names of the days from today that have no partition; none where the database can't say. */
async function missingDays(pool: Pool, daysAhead: number): Promise<string[]> {
  try {
    const days = await run<MissingDay>(pool, MISSING, [daysAhead]);
    return days.filter((day) => day.ahead >= 0).map((day) => day.name);
  } catch {
    return []; // the round's own error says what is wrong
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
