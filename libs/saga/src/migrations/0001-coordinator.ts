import type { Migration } from '@aura/eventing';

/**
 * The sagas that this service started. New tables only: no lock that anybody waits for.
 *
 * - `saga.state` is what `evolve` folds (saga-state.ts), `saga_log` the facts of each step: append-only.
 * - `wake_at` is the saga's timer: one row per saga, so that a decision has no second table to keep in step.
 *   It may be earlier than needed, never later; it changes seldom, so that most updates stay within their
 *   page (fillfactor).
 * - `unknown` sagas were asked for, but never known here: presumed aborted, written down before it was said.
 * - `saga_purged.mark`: ids that are not younger may have been purged; of such a one nothing is presumed.
 */
export const coordinatorTables: Migration = {
  id: '0001-coordinator',
  sql: `
    create table aura.saga (
      id uuid primary key,
      type text not null,
      version int not null check (version >= 0),
      phase text not null
        check (phase in ('PREPARING', 'PREPARED', 'COMMITTING', 'COMMITTED', 'ABORTING', 'ABORTED')),
      state jsonb not null,
      later jsonb not null,
      trace jsonb not null,
      revision int not null check (revision > 0),
      idempotency_key text check (octet_length(idempotency_key) <= 1024),
      input_hash bytea,
      attention text,
      wake_at timestamptz,
      started_at timestamptz not null,
      decided_at timestamptz,
      ended_at timestamptz,
      check ((phase in ('PREPARING', 'PREPARED')) = (decided_at is null)),
      check ((phase in ('COMMITTED', 'ABORTED')) = (ended_at is not null)),
      check (ended_at is null or wake_at is null)
    ) with (fillfactor = 50);

    create unique index saga_idempotency on aura.saga (type, idempotency_key)
      where idempotency_key is not null;
    create index saga_wake on aura.saga (wake_at) where wake_at is not null;
    create index saga_attention on aura.saga (started_at) where attention is not null;
    create index saga_ended on aura.saga (ended_at) where ended_at is not null;

    create table aura.saga_log (
      saga_id uuid not null,
      revision int not null,
      at timestamptz not null,
      facts jsonb not null,
      primary key (saga_id, revision)
    );

    create table aura.saga_purged (
      id int primary key default 1 check (id = 1),
      mark timestamptz not null
    );
  `,
};
