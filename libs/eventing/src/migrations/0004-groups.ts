import type { Migration } from './migration.js';

/**
 * What slow start, pauses and moves of groups need.
 *
 * - `suspect_until`: below it lie records that an owner had under way when it ended without a release; they
 *   are gone through in small units, each noted before it begins (`started_offset` up to `started_until`,
 *   exclusive, begun `starts` times).
 * - `group_pause` has a row while a group stands still by somebody's will, or because too many keys failed.
 *
 * Locks: ACCESS EXCLUSIVE on `consumer_offset` for the change of the catalogue only: no row is rewritten.
 */
export const groups: Migration = {
  id: '0004-groups',
  sql: `
alter table aura.consumer_offset
  add column suspect_until bigint,
  add column started_offset bigint,
  add column started_until bigint,
  add column starts int not null default 0,
  add check ((started_offset is null) = (started_until is null) and started_until > started_offset);

create table aura.group_pause (
  consumer_group text primary key,
  since timestamptz not null default clock_timestamp(),
  reason text not null check (reason <> ''),
  by text not null
);
`,
};
