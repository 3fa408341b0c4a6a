/** What a group has handled already: the only statements on `aura.inbox`. */
import { run, statement, type Queryable } from '@aura/platform';
import { IN_UNIT } from '../unit-of-work/begin.js';
import { REFUSED } from '../unit-of-work/refusal.js';
import type { InboxDay } from './inbox-days.js';
import { raiseAllLowWater, raiseLowWater } from './low-water.js';
import { markAbove } from './low-water-rules.js';

/**
 * In order of id: two owners of one partition that insert the same ids wait for each other instead of dying
 * in a deadlock.
 *
 * A unit sends it behind its START TRANSACTION without waiting for that. Were that to fail alone (cancelled,
 * out of memory), this would be a transaction of its own, and remember events that nobody has handled:
 * outside of a unit it is refused, to be tried again (E3).
 */
const INSERT = statement(
  'inbox_insert',
  `insert into aura.inbox (consumer_group, event_id)
   select $1, event_id from unnest($2::uuid[]) as arrived(event_id)
    where case when ${IN_UNIT} then true else aura.refuse('${REFUSED.again}', '{}') end
    order by event_id
       on conflict do nothing
   returning event_id`,
);

const DAYS = statement(
  'inbox_days',
  `select relname::text as name, now() as now from pg_class join pg_inherits on inhrelid = pg_class.oid
    where inhparent = 'aura.inbox'::regclass`,
);

const LOCK_DAYS = statement(
  'inbox_lock_days',
  `select pg_advisory_xact_lock(hashtextextended('aura:inbox', 0))`,
);

/** By their arrival, oldest first. Rows that another replica forgets are left to it. */
const FORGET_DEFAULT = statement(
  'inbox_default_forget',
  `with old as (
     select consumer_group, event_id from aura.inbox_default
      where arrived_at < now() - make_interval(days => $1)
      order by arrived_at limit $2
        for update skip locked)
   delete from aura.inbox_default d
    using old
    where d.consumer_group = old.consumer_group and d.event_id = old.event_id
   returning d.consumer_group, d.event_id`,
);

/**
 * Remembers `ids` as handled; gives those that were not yet. One that another transaction is inserting
 * waits for it.
 */
export async function rememberNew(
  db: Queryable,
  group: string,
  ids: readonly string[],
): Promise<Set<string>> {
  return new Set((await run<{ event_id: string }>(db, INSERT, [group, ids])).map((row) => row.event_id));
}

/** One replica at a time, until the end of the transaction. */
export async function lockDays(db: Queryable): Promise<void> {
  await run(db, LOCK_DAYS);
}

/** Those of `days` that have no partition yet. */
export async function missingDays(db: Queryable, days: readonly InboxDay[]): Promise<InboxDay[]> {
  const known = new Set((await partitions(db)).names);
  return days.filter((day) => !known.has(day.name));
}

/**
 * Makes one day's partition, apart and then attached: `attach` takes SHARE UPDATE EXCLUSIVE on the inbox
 * where `create .. partition of` would take ACCESS EXCLUSIVE and queue every unit behind it. Fails with
 * 23514 when the DEFAULT partition holds ids of that day. DDL takes no parameters: name and bounds come
 * from `inboxDays`, digits and hex only.
 */
export async function makeDay(
  db: { query(text: string): Promise<unknown> },
  { name, from, to }: InboxDay,
): Promise<void> {
  await db.query(`set local lock_timeout = '1s'`);
  await db.query(`create table aura.${name} (like aura.inbox including defaults including indexes)`);
  await db.query(
    `alter table aura.inbox attach partition aura.${name} for values from ('${from}') to ('${to}')`,
  );
}

/** Names of the inbox's partitions, and the database's clock. */
export async function partitions(db: Queryable): Promise<{ names: string[]; now: Date }> {
  const rows = await run<{ name: string; now: Date }>(db, DAYS);
  return { names: rows.map(({ name }) => name), now: rows[0]?.now ?? new Date(0) };
}

/**
 * Forgets one day, and moves the low-water mark of every group past it, in the caller's transaction (W1).
 * Waits 200 ms for units under way, 55P03 then: units queue behind it for as long. A day that is gone is
 * left so.
 */
export async function forgetDay(
  db: Queryable & { query(text: string): Promise<unknown> },
  { name, to }: InboxDay,
): Promise<void> {
  await db.query(`set local lock_timeout = '200ms'`);
  await lockDays(db);
  if (!(await partitions(db)).names.includes(name)) return;
  await db.query(`drop table aura.${name}`);
  await raiseAllLowWater(db, to);
}

/**
 * Forgets at most `limit` ids of the DEFAULT partition that arrived before the retention, and moves the
 * low-water marks of their groups past them, in the caller's transaction (W1). Gives how many.
 */
export async function forgetDefault(db: Queryable, retentionDays: number, limit: number): Promise<number> {
  const rows = await run<{ consumer_group: string; event_id: string }>(db, FORGET_DEFAULT, [
    retentionDays,
    limit,
  ]);
  const byGroup = Map.groupBy(rows, ({ consumer_group }) => consumer_group);
  const marks = [...byGroup].map(
    ([group, ids]) => [group, markAbove(ids.map(({ event_id }) => event_id))] as const,
  );
  if (marks.length > 0) await raiseLowWater(db, new Map(marks));
  return rows.length;
}
