/**
 * Why: the log itself. Locks: creates only, none that anybody waits for.
 *
 * - P1 `partition.next` is the offset of the next record; offsets are taken under the row's lock, so they are
 *   gapless and in commit order, and never used again.
 * - P2 `partition.first` is the first offset still kept; it moves in the transaction that deletes what is
 *   before it.
 * - P3 `record.appended_at` never falls within a partition (`last_at` remembers), so a time has one offset.
 * - G1 whoever changes members or assignments of a group holds the row of the group.
 * - G2 a partition has one owner at most; another may take it only when `owner` is null.
 */
export const log = {
  id: 1,
  name: '0001-log',
  sql: `
create table aura_log.topic (
  name         text primary key check (name ~ '^[A-Za-z0-9._-]{1,249}$'),
  partitions   integer not null check (partitions between 1 and 10000),
  retention_ms bigint check (retention_ms > 0),
  created_at   timestamptz not null default now()
);

create table aura_log.partition (
  id        integer primary key generated always as identity,
  topic     text not null references aura_log.topic,
  partition integer not null,
  first     bigint not null default 0,
  next      bigint not null default 0,
  last_at   timestamptz not null default '-infinity',
  unique (topic, partition),
  check (0 <= first and first <= next)
) with (fillfactor = 50);  -- one update per append: room for HOT updates on the same page

create table aura_log.record (
  partition_id integer not null,  -- no foreign key: it would lock the partition row once more per record
  "offset"     bigint not null,
  key          text not null,
  value        bytea not null,
  headers      json not null,     -- json, not jsonb: kept as written, not taken apart
  appended_at  timestamptz not null,
  primary key (partition_id, "offset")
);
create index record_time on aura_log.record (partition_id, appended_at, "offset");

create table aura_log.consumer_group (
  name       text primary key,
  generation bigint not null default 0
);

create table aura_log.member (
  consumer_group text not null references aura_log.consumer_group,
  id             uuid not null,
  topics         text[] not null,
  session_ms     integer not null,
  lease_until    timestamptz not null,
  primary key (consumer_group, id)
);

create table aura_log.assignment (
  consumer_group text not null references aura_log.consumer_group,
  topic          text not null,
  partition      integer not null,
  target         uuid,  -- who is to have it, by the last rebalance
  owner          uuid,  -- who may deliver it now; null: released, or its lease ran out
  primary key (consumer_group, topic, partition)
);`,
} as const;
