import { run, statement, type Queryable } from '@aura/platform';

/** A task to be written by a unit of work. */
export interface TaskRow {
  readonly id: string;
  readonly kind: string;
  readonly key: string;
  readonly dueAt: Date;
  /** JSON. */
  readonly payload: string;
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  readonly trace: Readonly<Record<string, string>>;
}

/** A cause that is handled again wants the task with the same id again: the first one stands. */
const INSERT = statement(
  'task_insert',
  `insert into aura.task (id, kind, key, due_at, payload, correlation_id, causation_id, trace)
   select id, kind, key, due_at, payload::jsonb, correlation_id, causation_id, trace::jsonb
     from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[])
          as wanted(id, kind, key, due_at, payload, correlation_id, causation_id, trace)
       on conflict (id) do nothing`,
);

export async function insertTasks(db: Queryable, rows: readonly TaskRow[]): Promise<void> {
  await run(db, INSERT, [
    rows.map((r) => r.id),
    rows.map((r) => r.kind),
    rows.map((r) => r.key),
    rows.map((r) => r.dueAt),
    rows.map((r) => r.payload),
    rows.map((r) => r.correlationId ?? null),
    rows.map((r) => r.causationId ?? null),
    rows.map((r) => JSON.stringify(r.trace)),
  ]);
}
