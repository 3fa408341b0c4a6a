/** What a group has handled already: the only statements on `aura.inbox`. */
import { run, statement, type Queryable } from '@aura/platform';
import type { InboxDay } from './inbox-days.js';

/**
 * In order of id: two owners of one partition that insert the same ids wait for each other instead of dying
 * in a deadlock.
 */
const INSERT = statement(
  'inbox_insert',
  `insert into aura.inbox (consumer_group, event_id)
   select $1, event_id from unnest($2::uuid[]) as arrived(event_id) order by event_id
       on conflict do nothing
   returning event_id`,
);

const DAYS = statement(
  'inbox_days',
  `select relname::text as name from pg_class join pg_inherits on inhrelid = pg_class.oid
    where inhparent = 'aura.inbox'::regclass`,
);

const LOCK_DAYS = statement(
  'inbox_lock_days',
  `select pg_advisory_xact_lock(hashtextextended('aura:inbox', 0))`,
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
  const known = new Set((await run<{ name: string }>(db, DAYS)).map((row) => row.name));
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
