import type { Migration } from './migration.js';

/** What operators did, in sight for whoever asks later. Locks: none, it is new. */
export const operations: Migration = {
  id: '0002-operations',
  sql: `
create table aura.operation (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  what text not null,
  subject jsonb not null,
  reason text not null check (reason <> ''),
  by text not null
);
`,
};
