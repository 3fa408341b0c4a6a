import type { Migration } from '@aura/eventing';

/**
 * The barrier of every branch that this service takes part in: one row from its first ask, or from a cancel
 * that came first, until nothing can ask for it any more.
 *
 * - `branch_type`, `coordinator` are pinned by the first ask (H28).
 * - `input_schema`, `input`, `deadline` are null on a tombstone: nobody said what would have been asked.
 * - `ask_at` is set while a yes waits for its decision. `branch_ask_at` holds only those rows,
 *   `branch_pending` only those that a task works on: both are small. With them the update of a decision
 *   writes an entry of the primary key as well (no HOT); looking for such rows without them would cost more.
 * - `called_at`, `outside` belong to external branches: the last time that somebody outside may have been
 *   asked, and what they said.
 *
 * Locks: none, it is a new table.
 */
export const participantTables: Migration = {
  id: '0002-participant',
  sql: `
create table aura.branch (
  saga_id uuid not null,
  branch text not null,
  branch_type text not null,
  coordinator text not null,
  state text not null check (state in ('CALLING', 'STOPPING', 'PREPARED', 'REFUSED', 'COMMITTING',
    'COMMITTED', 'CANCELLING', 'RELEASING', 'CANCELLED', 'TOMBSTONE')),
  input_schema text,
  input bytea,
  deadline timestamptz,
  reply text,
  code text,
  reason text,
  created_at timestamptz not null,
  prepared_at timestamptz,
  decided_at timestamptz,
  ask_at timestamptz check (ask_at is null or state = 'PREPARED'),
  asks int not null default 0,
  called_at timestamptz,
  outside jsonb,
  trace jsonb not null,
  primary key (saga_id, branch),
  check ((input is null) = (input_schema is null)),
  check (input is not null or state = 'TOMBSTONE'),
  check (state <> 'PREPARED' or (prepared_at is not null and code is null)),
  check (state <> 'REFUSED' or code is not null)
);

create index branch_ask_at on aura.branch (ask_at) where ask_at is not null;
create index branch_pending on aura.branch (coalesce(decided_at, created_at))
  where state in ('CALLING', 'STOPPING', 'COMMITTING', 'CANCELLING', 'RELEASING');
`,
};
