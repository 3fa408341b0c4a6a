/**
 * Drops whole days of the outbox, and nothing else ever deletes from it.
 *
 * T1, T2, T5 in retention-rules.ts;
 * T3 writers never queue behind it (H24): `drop` and a plain `detach` want ACCESS EXCLUSIVE on the outbox,
 *    and whoever inserts waits behind them while they wait for the longest reader. `detach .. concurrently`
 *    waits without a lock that a writer wants. It is two transactions, so the decision is written down
 *    first, and every crash in between is gone on with;
 * T4 what a transaction as old as the retention commits into a day after the decision is raised anew in the
 *    transaction that drops it, under its own event id: readers that have it already drop it (E1, E5).
 */
import {
  codeOf,
  InvariantError,
  run,
  statement,
  withClient,
  type Logger,
  type Queryable,
} from '@aura/platform';
import type { Pool, PoolClient } from 'pg';
import { fromColumns, type CursorColumns } from './cursor.js';
import type { Finding } from '../operations/operations.js';
import { DAYS_LOCK, LOCK_SPACE } from './lock-session.js';
import { daysOverdue, whyKept, type OutboxNeeds } from './retention-rules.js';

export interface OutboxRetentionOptions {
  readonly pool: Pool;
  readonly logger: Logger;
  /** Whole days, at least 1. */
  readonly retentionDays: number;
  /** How long a step waits for others (ms) before it is left for later. Default 200. */
  readonly lockTimeoutMs?: number;
}

/** A day that is past the retention and still there. */
export interface KeptDay {
  readonly name: string;
  /** Whole days past the retention. */
  readonly overdueDays: number;
  readonly why: string;
}

export interface RetentionRound {
  readonly dropped: readonly string[];
  readonly kept: readonly KeptDay[];
  /** Somebody was in the way: try again soon. */
  readonly busy: boolean;
}

/** Days of one round: each is a few transactions. */
const MAX_DAYS = 10;

const LOCK_TIMEOUT = statement(
  'outbox_retention_lock_timeout',
  `select set_config('lock_timeout', $1, false)`,
);
const LOCK = statement('outbox_retention_lock', 'select pg_try_advisory_lock($1, $2) as locked');
const UNLOCK = statement('outbox_retention_unlock', 'select pg_advisory_unlock($1, $2)');

/** `detaching`: the first transaction of a `detach .. concurrently` is done, its rows are out of sight. */
const ATTACHED = statement(
  'outbox_retention_days',
  `select c.relname::text as name, i.inhdetachpending as detaching, now() as now
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'aura.outbox'::regclass order by c.relname`,
);
const NEEDS = statement(
  'outbox_retention_needs',
  `select coalesce(c.position, 0)::text as position, coalesce(c.gaps, '[]') as gaps,
          coalesce(c.pending, '[]') as pending,
          (select min(position)::text from aura.relay_parked_key) as parked_from,
          (select min(position)::text from aura.replay_job
            where state = 'running') as replayed_to,
          (select min(code) from aura.relay_finding) as stopped_by
     from (select) as one left join aura.relay_cursor c on true`,
);
const BEGUN = statement(
  'outbox_dropped_day_begun',
  'select name, last_position::text from aura.outbox_dropped_day where dropped_at is null order by name',
);
const DECIDE = statement(
  'outbox_dropped_day_insert',
  'insert into aura.outbox_dropped_day (name, last_position) values ($1, $2)',
);
const FORGET = statement(
  'outbox_dropped_day_delete',
  'delete from aura.outbox_dropped_day where dropped_at is null and name = any($1::text[])',
);
const DROPPED = statement(
  'outbox_dropped_day_update',
  'update aura.outbox_dropped_day set dropped_at = clock_timestamp() where name = $1',
);

const STUCK = statement(
  'outbox_dropped_day_stuck',
  `select name, to_char(decided_at at time zone 'utc', 'YYYY-MM-DD HH24:MI') || ' UTC' as since
     from aura.outbox_dropped_day
    where dropped_at is null and decided_at < now() - interval '1 day' order by name`,
);
const THERE = statement('outbox_retention_there', `select to_regclass('aura.' || $1) is not null as there`);

/** The retention of one outbox. Any number of replicas may run one: they take turns. */
export class OutboxRetention {
  constructor(private readonly options: OutboxRetentionOptions) {}

  /** Drops what may go now. Rejects when the database is away. */
  async runOnce(): Promise<RetentionRound> {
    const { pool, lockTimeoutMs = 200 } = this.options;
    return withClient(pool, async (client) => {
      const [lock] = await run<{ locked: boolean }>(client, LOCK, [LOCK_SPACE, DAYS_LOCK]);
      if (!lock?.locked) return { dropped: [], kept: [], busy: true };
      try {
        await run(client, LOCK_TIMEOUT, [`${lockTimeoutMs}ms`]);
        return await this.#round(client);
      } finally {
        await client.query('reset lock_timeout');
        await run(client, UNLOCK, [LOCK_SPACE, DAYS_LOCK]);
      }
    });
  }

  async #round(client: PoolClient): Promise<RetentionRound> {
    const dropped: string[] = [];
    try {
      for (const day of await begunDays(client)) {
        await this.#goOn(client, day);
        dropped.push(day.name);
      }
      const { kept, free } = await judgeDays(client, this.options.retentionDays);
      for (const day of free) {
        await run(client, DECIDE, [day.name, String(day.lastPosition)]);
        await this.#goOn(client, day);
        dropped.push(day.name);
      }
      return { dropped, kept, busy: false };
    } catch (error) {
      if (codeOf(error) !== '55P03') throw error; // lock_not_available
      this.options.logger.debug({ err: error }, 'outbox: a day is still in use, dropping it later');
      return { dropped, kept: [], busy: true };
    }
  }

  /** T3. From wherever the last one to try has come. */
  async #goOn(client: PoolClient, day: FreeDay): Promise<void> {
    const { name, lastPosition } = day;
    const attached = (await attachedDays(client)).find((known) => known.name === name);
    const how = attached?.detaching ? 'finalize' : 'concurrently';
    if (attached) await client.query(`alter table aura.outbox detach partition aura.${name} ${how}`);
    await client.query('begin');
    try {
      const late = await drop(client, day);
      await client.query('commit');
      const fields = { day: name, lastPosition: String(lastPosition), raisedAnew: late };
      this.options.logger.info(fields, 'outbox: dropped a day that is past the retention');
    } catch (error) {
      await client.query('rollback').catch(() => undefined); // the error that brought us here says more
      throw error;
    }
  }
}

interface FreeDay {
  readonly name: string;
  readonly lastPosition: bigint;
}

/** Days past the retention, oldest first: those that have to stay, and those that may go. Reads only. */
export async function judgeDays(
  db: Queryable,
  retentionDays: number,
): Promise<{ kept: readonly KeptDay[]; free: readonly FreeDay[] }> {
  const kept: KeptDay[] = [];
  const free: FreeDay[] = [];
  const needs = await needsOf(db);
  for (const { name, now, detaching } of await attachedDays(db)) {
    const overdueDays = daysOverdue(name, now, retentionDays);
    if (overdueDays === undefined || detaching) continue;
    if (kept.length + free.length >= MAX_DAYS) break;
    const lastPosition = await lastPositionOf(db, name);
    const why = whyKept({ name, lastPosition }, needs);
    if (why === undefined) free.push({ name, lastPosition: lastPosition ?? 0n });
    else kept.push({ name, overdueDays, why });
  }
  return { kept, free };
}

/** Days that have been past the retention for a day or more, with the reason. */
export async function retentionFindings(db: Queryable, retentionDays: number): Promise<Finding[]> {
  const { kept } = await judgeDays(db, retentionDays);
  const stuck = await run<{ name: string; since: string }>(db, STUCK);
  return [
    ...kept
      .filter(({ overdueDays }) => overdueDays >= 1)
      .map(({ name, overdueDays, why }) =>
        finding(name, `is ${overdueDays} days past the retention of ${retentionDays} days and stays: ${why}`),
      ),
    ...stuck.map(({ name, since }) =>
      finding(
        name,
        `is being dropped since ${since}, and somebody still uses it: end the oldest transactions of this ` +
          'database (pg_stat_activity, by xact_start)',
      ),
    ),
  ];
}

const finding = (day: string, words: string): Finding => ({
  code: 'outbox-retention-stuck',
  severity: 'warning',
  subject: `aura.${day}`,
  words,
  command: 'relay status',
});

/** T4. In the caller's transaction; gives how many rows were raised anew. */
async function drop(client: PoolClient, { name, lastPosition }: FreeDay): Promise<number> {
  const [day] = await run<{ there: boolean }>(client, THERE, [name]);
  let late = 0;
  if (day?.there) {
    await client.query(`lock table aura.${name} in access exclusive mode`);
    const { rowCount } = await client.query(
      `insert into aura.outbox (event_id, topic, key, type, schema_fingerprint, body, headers)
       select event_id, topic, key, type, schema_fingerprint, body, headers
         from aura.${name} where position > ${lastPosition} order by position`,
    );
    late = rowCount ?? 0;
    await client.query(`drop table aura.${name}`);
  }
  await run(client, DROPPED, [name]);
  return late;
}

/** Decided, and not dropped yet. A decision whose detaching has not begun is void: it is made anew. */
async function begunDays(client: PoolClient): Promise<FreeDay[]> {
  const whole = (await attachedDays(client)).filter(({ detaching }) => !detaching).map(({ name }) => name);
  await run(client, FORGET, [whole]);
  const begun = await run<{ name: string; last_position: string }>(client, BEGUN);
  return begun.map((row) => ({ name: row.name, lastPosition: BigInt(row.last_position) }));
}

function attachedDays(db: Queryable): Promise<{ name: string; detaching: boolean; now: Date }[]> {
  return run<{ name: string; detaching: boolean; now: Date }>(db, ATTACHED);
}

/** By the index. `name` is `outbox_<digits>`: a table can't be a parameter. */
async function lastPositionOf(db: Queryable, name: string): Promise<bigint | undefined> {
  const { rows } = await db.query<{ last: string | null }>({
    text: `select max(position)::text as last from aura.${name}`,
  });
  return toPosition(rows[0]?.last);
}

async function needsOf(db: Queryable): Promise<OutboxNeeds> {
  type Row = Omit<CursorColumns, 'acknowledged'> & {
    parked_from: string | null;
    replayed_to: string | null;
    stopped_by: string | null;
  };
  const [row] = await run<Row>(db, NEEDS);
  if (!row) throw new InvariantError('the outbox gave no answer to what is still needed of it');
  return {
    cursor: fromColumns({ ...row, acknowledged: [] }),
    parkedFrom: toPosition(row.parked_from),
    replayedTo: toPosition(row.replayed_to),
    stoppedBy: row.stopped_by ?? undefined,
  };
}

const toPosition = (text: string | null | undefined): bigint | undefined =>
  text === null || text === undefined ? undefined : BigInt(text);
