import type { Migration } from './migration.js';

/**
 * Jobs that replay the outbox, and durable tasks that a stop does not wear out.
 *
 * - `position`: everything selected up to here has been acknowledged; retention drops no day that a running
 *   job still needs. `to_position` is fixed when the job begins: what is raised later is the relay's.
 * - A running job without a task waits for the one before it: jobs of one service run one after the other.
 *
 * A task remembers how many of its attempts ended because its service stopped: they do not count.
 *
 * Locks: the first table is new. The column takes ACCESS EXCLUSIVE on aura.task for a moment and rewrites
 * nothing: its default is a constant.
 */
export const replay: Migration = {
  id: '0007-replay',
  sql: `
create table aura.replay_job (
  id uuid primary key,
  selection jsonb not null,
  state text not null check (state in ('running', 'done', 'cancelled', 'failed')),
  reason text not null check (reason <> ''),
  by text not null,
  per_second int check (per_second > 0),
  selected bigint not null,
  published bigint not null default 0,
  position bigint not null,
  to_position bigint not null,
  error text,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  check ((state = 'running') = (ended_at is null))
);
create index replay_job_running on aura.replay_job (started_at, id) where state = 'running';
create index replay_job_started on aura.replay_job (started_at);
alter table aura.task add column uncounted int not null default 0;
`,
};
