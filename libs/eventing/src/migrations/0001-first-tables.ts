import type { Migration } from './migration.js';

/**
 * The tables of the event path. Locks: none that anybody waits for, all of it is new.
 *
 * - `outbox.xid` is the first column and the identity has no cache: a position is drawn after its
 *   transaction has an xid (relay rule 2, H7). `checkOutboxShape` refuses anything else at start.
 * - `outbox` has no primary key: `position` alone can't be unique across partitions, and nothing needs it
 *   to be.
 * - `relay_cursor` and `consumer_offset` are updated often and in place: fillfactor leaves room for HOT
 *   updates.
 * - `inbox` has a DEFAULT partition for ids older than the oldest range; those rows are cleaned by their
 *   arrival time.
 */
export const firstTables: Migration = {
  id: '0001-first-tables',
  sql: `
create table aura.outbox (
  xid xid8 not null default pg_current_xact_id(),
  position bigint generated always as identity,
  event_id uuid not null,
  topic text not null,
  key text not null check (key <> ''),
  type text not null,
  schema_fingerprint bytea not null,
  body bytea not null,
  headers jsonb not null,
  raised_at timestamptz not null default now()
) partition by range (raised_at);
create index outbox_position on aura.outbox (position);

-- Every schema that this service ever raised an event with: what the relay frames old rows by.
create table aura.schema (
  fingerprint bytea primary key,
  subject text not null,
  definition json not null, -- jsonb refuses the zero characters that defaults of bytes are written with
  first_seen timestamptz not null default now()
);

-- One row. gaps: [[first, last, X], ...]; pending: positions whose partition can't be reached; acknowledged:
-- per partition [topic, partition, offset, position]; cluster: system identifier of the database that the
-- xids in gaps belong to.
create table aura.relay_cursor (
  only_row boolean primary key default true check (only_row),
  position bigint not null default 0,
  gaps jsonb not null default '[]',
  pending jsonb not null default '[]',
  acknowledged jsonb not null default '[]',
  cluster text not null,
  saved_at timestamptz not null default now()
) with (fillfactor = 50);

-- Keys that the log refused a record of, for good: they wait in sight until somebody resumes them.
create table aura.relay_parked_key (
  topic text not null,
  key text not null,
  position bigint not null,
  error jsonb not null,
  parked_at timestamptz not null default now(),
  primary key (topic, key)
);

-- Where each group stands, in the transaction of the effects. high_water: the highest offset ever passed.
create table aura.consumer_offset (
  consumer_group text not null,
  topic text not null,
  partition int not null,
  next_offset bigint not null check (next_offset >= 0),
  high_water bigint not null,
  epoch bigint not null,
  owner text not null,
  released boolean not null,
  changed_at timestamptz not null default now(),
  primary key (consumer_group, topic, partition)
) with (fillfactor = 50);

create table aura.inbox (
  consumer_group text not null,
  event_id uuid not null,
  arrived_at timestamptz not null default now(),
  primary key (consumer_group, event_id)
) partition by range (event_id);
create table aura.inbox_default partition of aura.inbox default;

-- The lock and the mark of a key that stands still.
create table aura.parked_key (
  consumer_group text not null,
  topic text not null,
  key text not null,
  state text not null check (state in ('retrying', 'dead')),
  parked_at timestamptz not null default now(),
  primary key (consumer_group, topic, key)
);

-- What waits behind a parked key, in order of id; the first one is why it waits.
create table aura.letter (
  id bigint generated always as identity primary key,
  consumer_group text not null,
  topic text not null,
  key text not null,
  partition int not null,
  log_offset bigint not null,
  event_id uuid not null,
  type text not null,
  value bytea not null,
  headers jsonb not null,
  -- Of the event that failed: class, message, stack, code. Null on those that only wait behind it.
  error jsonb,
  attempts int not null default 0,
  parked_at timestamptz not null default now()
);
create index letter_of_key on aura.letter (consumer_group, topic, key, id);

create table aura.task (
  id uuid primary key,
  kind text not null,
  key text not null,
  state text not null default 'due' check (state in ('due', 'failed')),
  due_at timestamptz not null,
  attempt int not null default 0,
  lease_until timestamptz,
  payload jsonb not null,
  correlation_id text,
  causation_id text,
  trace jsonb not null default '{}',
  error jsonb,
  created_at timestamptz not null default now()
);
create index task_due on aura.task (due_at) where state = 'due';
`,
};
