import type { Migration } from './migration.js';

/**
 * What retention and low-water marks need.
 *
 * - `outbox_dropped_day`: a day of the outbox that retention has decided to drop, written before it is
 *   detached, because detaching without stopping writers takes several transactions: whoever finds one that
 *   has begun goes on with it. Afterwards it tells up to which position the outbox no longer reaches back.
 * - `inbox_low_water`: below this id a group's inbox no longer remembers everything. Moved in the
 *   transaction that forgets.
 * - `inbox_default_arrived`: ids that lie in the DEFAULT partition are forgotten by their arrival.
 *
 * Locks: SHARE on `inbox_default` for the index: a replica that is inserting an id older than the oldest day
 * waits. It holds few rows; the days, where all others go, are not touched.
 */
export const retention: Migration = {
  id: '0006-retention',
  sql: `
create table aura.outbox_dropped_day (
  name text primary key,
  last_position bigint not null,
  decided_at timestamptz not null default clock_timestamp(),
  dropped_at timestamptz
);

create table aura.inbox_low_water (
  consumer_group text primary key,
  below uuid not null,
  moved_at timestamptz not null default clock_timestamp()
);

create index inbox_default_arrived on aura.inbox_default (arrived_at);
`,
};
