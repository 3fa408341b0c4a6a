import { run, statement, type Queryable } from '@aura/platform';
import type { ErrorRecord } from '../letters/error-record.js';

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

/** A task that this process has claimed. */
export interface ClaimedTask {
  readonly id: string;
  readonly kind: string;
  readonly key: string;
  /** T2. Grows with every claim: whose the task is. */
  readonly attempt: number;
  /** Of these claims, those that a stop of the service ended. */
  readonly uncounted: number;
  readonly payload: object;
  readonly correlation_id: string | null;
  readonly causation_id: string | null;
  readonly trace: Record<string, string>;
}

/** A cause that is handled again wants the task with the same id again: the first one stands. */
const INSERT = statement(
  'task_insert',
  `insert into aura.task (id, kind, key, due_at, payload, correlation_id, causation_id, trace)
   select id, kind, key, due_at, payload::jsonb, correlation_id, causation_id, trace::jsonb
     from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
                 $8::text[]) as wanted(id, kind, key, due_at, payload, correlation_id, causation_id, trace)
       on conflict (id) do nothing`,
);

/**
 * T1. Due tasks without a live lease, oldest first, at most $2[i] of kind $1[i]. `skip locked`: two
 * replicas that claim at the same time get different ones. The index `task_kind_due` finds them; an attempt
 * is counted here, before anything can crash.
 */
const CLAIM = statement(
  'task_claim',
  `update aura.task
      set attempt = attempt + 1, lease_until = clock_timestamp() + $3 * interval '1 ms'
    where id in (
      select picked.id
        from unnest($1::text[], $2::int[]) as free(kind, slots)
       cross join lateral (
         select id from aura.task
          where state = 'due' and kind = free.kind and due_at <= clock_timestamp()
            and (lease_until is null or lease_until < clock_timestamp())
          order by due_at
          limit free.slots
            for update skip locked) as picked)
   returning id, kind, key, attempt, uncounted, payload, correlation_id, causation_id, trace`,
);

/**
 * When the next task of these kinds is due, or the lease of one that runs elsewhere is over; in ms from now,
 * by the database's clock. Only what is due can be leased: however many wait for later, one of each kind is
 * looked at.
 */
const NEXT_DUE = statement(
  'task_next_due',
  `select ceil(extract(epoch from least(
            (select min(first.due_at)
               from unnest($1::text[]) as wanted(kind)
              cross join lateral (
                select due_at from aura.task
                 where state = 'due' and kind = wanted.kind and lease_until is null
                 order by due_at
                 limit 1) as first),
            (select min(lease_until)
               from unnest($1::text[]) as wanted(kind)
               join aura.task using (kind)
              where state = 'due' and due_at <= clock_timestamp()
                and lease_until is not null and id <> all($2::uuid[]))) - clock_timestamp()) * 1000)::float8
          as after_ms`,
);

/**
 * Keeps the leases of running tasks; gives those that are still ours. A task that was given back for its next
 * attempt in this moment keeps the attempt, but has no lease to be kept.
 */
const RENEW = statement(
  'task_renew',
  `with kept as (
     select task.id from aura.task
       join unnest($1::uuid[], $2::int[]) as mine(id, attempt) using (id, attempt)
      where state = 'due' and lease_until is not null
      order by task.id
        for update of task)
   update aura.task set lease_until = clock_timestamp() + $3 * interval '1 ms'
     from kept where task.id = kept.id
   returning task.id`,
);

/**
 * T2. Ends tasks, those that these attempts still own. In order, as the renewal: they are in two transactions
 * of one process at a time.
 */
const REMOVE = statement(
  'task_remove',
  `with owned as (
     select task.id from aura.task
       join unnest($1::uuid[], $2::int[]) as mine(id, attempt) using (id, attempt)
      order by task.id
        for update of task)
   delete from aura.task using owned where task.id = owned.id
   returning task.id`,
);

const RETRY = statement(
  'task_retry',
  `update aura.task
      set due_at = clock_timestamp() + $3 * interval '1 ms', lease_until = null, error = $4::jsonb
    where id = $1 and attempt = $2`,
);

/**
 * T4. The attempt that a stop ends does not count; $3: its work is over, so that another may have it at once.
 * `attempt` itself never goes back: a late ending of this one must not pass for one of the next.
 */
const RELEASE = statement(
  'task_release',
  `update aura.task
      set uncounted = uncounted + 1,
          due_at = case when $3 then least(due_at, clock_timestamp()) else due_at end,
          lease_until = case when $3 then null else lease_until end
    where id = $1 and attempt = $2`,
);

const FAIL = statement(
  'task_fail',
  `update aura.task set state = 'failed', lease_until = null, error = $3::jsonb
    where id = $1 and attempt = $2`,
);

/** For people who ask: no index serves it, tasks that wait are few. */
const ERRORS = statement(
  'task_errors',
  `select key, error from aura.task
    where kind = any($1::text[]) and key = any($2::text[]) and error is not null`,
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

export function claimTasks(
  db: Queryable,
  slots: ReadonlyMap<string, number>,
  leaseMs: number,
): Promise<ClaimedTask[]> {
  return run<ClaimedTask>(db, CLAIM, [[...slots.keys()], [...slots.values()], leaseMs]);
}

/** Undefined when nothing waits. `running`: ids that this process has in hand. */
export async function nextDueMs(
  db: Queryable,
  kinds: readonly string[],
  running: readonly string[],
): Promise<number | undefined> {
  const [row] = await run<{ after_ms: number | null }>(db, NEXT_DUE, [kinds, running]);
  return row?.after_ms ?? undefined;
}

/** One attempt at a task; `attempt` says whose the task is. */
export interface TaskToken {
  readonly id: string;
  readonly attempt: number;
}

export async function renewLeases(
  db: Queryable,
  tasks: readonly TaskToken[],
  leaseMs: number,
): Promise<Set<string>> {
  const rows = await run<{ id: string }>(db, RENEW, [...tokensOf(tasks), leaseMs]);
  return new Set(rows.map(({ id }) => id));
}

/** The ids of those that were removed: another attempt owns the others now. */
export async function removeTasks(db: Queryable, tasks: readonly TaskToken[]): Promise<Set<string>> {
  return new Set((await run<{ id: string }>(db, REMOVE, tokensOf(tasks))).map(({ id }) => id));
}

const tokensOf = (tasks: readonly TaskToken[]): unknown[] => [
  tasks.map(({ id }) => id),
  tasks.map(({ attempt }) => attempt),
];

export async function retryTask(
  db: Queryable,
  id: string,
  attempt: number,
  afterMs: number,
  error: object,
): Promise<void> {
  await run(db, RETRY, [id, attempt, afterMs, JSON.stringify(error)]);
}

/** T4. `over`: nothing of the attempt runs any more. */
export async function releaseTask(db: Queryable, id: string, attempt: number, over: boolean): Promise<void> {
  await run(db, RELEASE, [id, attempt, over]);
}

export async function failTask(db: Queryable, id: string, attempt: number, error: object): Promise<void> {
  await run(db, FAIL, [id, attempt, JSON.stringify(error)]);
}

/** What the last attempts at these keys' tasks failed with, by key. */
export async function taskErrors(
  db: Queryable,
  kinds: readonly string[],
  keys: readonly string[],
): Promise<Map<string, ErrorRecord>> {
  if (keys.length === 0) return new Map();
  const rows = await run<{ key: string; error: ErrorRecord }>(db, ERRORS, [kinds, keys]);
  return new Map(rows.map(({ key, error }) => [key, error]));
}
