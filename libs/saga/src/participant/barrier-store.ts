/**
 * The only statements on `aura.branch`.
 *
 * A unit reads its rows once, locked and in sorted order, and writes them once: one insert, one update.
 */
import type { Work } from '@aura/eventing';
import { ConflictError, run, statement, type Queryable } from '@aura/platform';
import { keyOf, type BranchKey, type BranchRow } from './branch-row.js';

const COLUMNS = `saga_id, branch, branch_type, coordinator, state, input_schema, input, deadline, reply, code,
  reason, created_at, prepared_at, decided_at, ask_at, asks, called_at, outside, trace`;

const LOCK = statement(
  'branch_lock',
  `select ${COLUMNS} from aura.branch
    where (saga_id, branch) in (select * from unnest($1::uuid[], $2::text[]))
    order by saga_id, branch
      for update`,
);

const FIND = statement(
  'branch_find',
  `select ${COLUMNS} from aura.branch
    where (saga_id, branch) in (select * from unnest($1::uuid[], $2::text[]))`,
);

/** In order: two units that insert the same keys wait for each other instead of dying in a deadlock. */
const INSERT = statement(
  'branch_insert',
  `insert into aura.branch (${COLUMNS})
   select saga_id, branch, branch_type, coordinator, state, input_schema, input, deadline, reply, code,
          reason, created_at, prepared_at, decided_at, ask_at, asks, called_at, outside::jsonb, trace::jsonb
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[],
                 $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::timestamptz[],
                 $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::int[], $17::timestamptz[],
                 $18::text[], $19::text[])
          as b(saga_id, branch, branch_type, coordinator, state, input_schema, input, deadline, reply, code,
               reason, created_at, prepared_at, decided_at, ask_at, asks, called_at, outside, trace)
    order by saga_id, branch
       on conflict do nothing
   returning branch`,
);

/** What may change of a row. */
const UPDATE = statement(
  'branch_update',
  `update aura.branch b
      set state = w.state, reply = w.reply, code = w.code, reason = w.reason, prepared_at = w.prepared_at,
          decided_at = w.decided_at, ask_at = w.ask_at, asks = w.asks, outside = w.outside::jsonb
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                 $8::timestamptz[], $9::timestamptz[], $10::int[], $11::text[])
          as w(saga_id, branch, state, reply, code, reason, prepared_at, decided_at, ask_at, asks, outside)
    where b.saga_id = w.saga_id and b.branch = w.branch`,
);

/** Nobody outside is called about a branch that was told to stop meanwhile. */
const NOTE_CALLS = statement(
  'branch_note_calls',
  `with calling as (
     select saga_id, branch from aura.branch
      where (saga_id, branch) in (select * from unnest($1::uuid[], $2::text[])) and state = 'CALLING'
      order by saga_id, branch
        for update)
   update aura.branch b set called_at = $3
     from calling where b.saga_id = calling.saga_id and b.branch = calling.branch
   returning b.saga_id as "sagaId", b.branch`,
);

/**
 * H20: what could not be read, or handled, was about this saga. One that has asked before does so when its
 * back-off says: what it is told must not end a process again and again.
 */
const ASK_NOW = statement(
  'branch_ask_now',
  `update aura.branch set ask_at = $2 where saga_id = $1 and ask_at > $2 and asks = 0`,
);

const NEXT_ASK = statement(
  'branch_next_ask',
  'select min(ask_at) as at from aura.branch where ask_at is not null',
);

/** `skip locked`: two replicas that ask at the same time ask for different ones. */
const DUE_ASKS = statement(
  'branch_due_asks',
  `select ${COLUMNS} from aura.branch where ask_at <= $1 order by ask_at limit $2 for update skip locked`,
);

/**
 * What has waited too long: for a task or somebody outside (index `branch_pending`), for a decision (index
 * `branch_ask_at`).
 */
const STUCK = statement(
  'branch_stuck',
  `(select ${COLUMNS} from aura.branch
     where state in ('CALLING', 'STOPPING', 'COMMITTING', 'CANCELLING', 'RELEASING')
       and coalesce(decided_at, created_at) < $1
     order by coalesce(decided_at, created_at) limit $2)
   union all
   (select ${COLUMNS} from aura.branch where ask_at is not null and prepared_at < $1 limit $2)
   limit $2`,
);

/**
 * By the saga's id, which begins with its time: the oldest come first by the primary key, and no index has to
 * be kept for this.
 */
const PURGE = statement(
  'branch_purge',
  `delete from aura.branch where (saga_id, branch) in (
     select saga_id, branch from aura.branch
      where saga_id < $1 and state in ('REFUSED', 'COMMITTED', 'CANCELLED', 'TOMBSTONE')
        and decided_at < $2 and (deadline is null or deadline < $2)
      order by saga_id, branch
      limit $3
        for update skip locked)
   returning branch`,
);

interface SqlRow extends Record<string, unknown> {
  saga_id: string;
  branch: string;
  branch_type: string;
  coordinator: string;
  state: BranchRow['state'];
  input_schema: string | null;
  input: Buffer | null;
  deadline: Date | null;
  reply: string | null;
  code: string | null;
  reason: string | null;
  created_at: Date;
  prepared_at: Date | null;
  decided_at: Date | null;
  ask_at: Date | null;
  asks: number;
  called_at: Date | null;
  outside: object | null;
  trace: Record<string, string>;
}

/** Locks these rows until the end of the transaction, in sorted order; gives those that there are. */
export async function lockBranches(work: Work, keys: readonly BranchKey[]): Promise<BranchRow[]> {
  return (await work.run<SqlRow>(LOCK, valuesOf(keys))).map(rowOf);
}

/** Without a lock, by `keyOf`. */
export async function findBranches(
  db: Queryable,
  keys: readonly BranchKey[],
): Promise<Map<string, BranchRow>> {
  const rows = await run<SqlRow>(db, FIND, valuesOf(keys));
  return new Map(rows.map(rowOf).map((row) => [keyOf(row), row]));
}

const valuesOf = (keys: readonly BranchKey[]): unknown[] => [
  keys.map(({ sagaId }) => sagaId),
  keys.map(({ branch }) => branch),
];

/** Throws `ConflictError` where somebody else has written one of them since it was looked for. */
export async function insertBranches(work: Work, rows: readonly BranchRow[]): Promise<void> {
  if (rows.length === 0) return;
  const written = await work.run(INSERT, [
    rows.map((r) => r.sagaId),
    rows.map((r) => r.branch),
    rows.map((r) => r.branchType),
    rows.map((r) => r.coordinator),
    rows.map((r) => r.state),
    rows.map((r) => r.input?.inputSchema ?? null),
    rows.map((r) => r.input?.input ?? null),
    rows.map((r) => r.deadline),
    rows.map((r) => r.reply),
    rows.map((r) => r.code),
    rows.map((r) => r.reason),
    rows.map((r) => r.createdAt),
    rows.map((r) => r.preparedAt),
    rows.map((r) => r.decidedAt),
    rows.map((r) => r.askAt),
    rows.map((r) => r.asks),
    rows.map((r) => r.calledAt),
    rows.map((r) => (r.outside === null ? null : JSON.stringify(r.outside))),
    rows.map((r) => JSON.stringify(r.trace)),
  ]);
  if (written.length === rows.length) return;
  const names = rows.map(keyOf).slice(0, 5).join(', ');
  throw new ConflictError(`another unit has begun with one of ${names} at the same time`);
}

/** Rows that are locked. */
export async function updateBranches(work: Work, rows: readonly BranchRow[]): Promise<void> {
  if (rows.length === 0) return;
  await work.run(UPDATE, [
    rows.map((r) => r.sagaId),
    rows.map((r) => r.branch),
    rows.map((r) => r.state),
    rows.map((r) => r.reply),
    rows.map((r) => r.code),
    rows.map((r) => r.reason),
    rows.map((r) => r.preparedAt),
    rows.map((r) => r.decidedAt),
    rows.map((r) => r.askAt),
    rows.map((r) => r.asks),
    rows.map((r) => (r.outside === null ? null : JSON.stringify(r.outside))),
  ]);
}

/**
 * Notes, before they are made, that somebody outside may have been called. Gives, by `keyOf`, those that may
 * be made.
 */
export async function noteCalls(db: Queryable, keys: readonly BranchKey[], at: Date): Promise<Set<string>> {
  const rows = await run<{ sagaId: string; branch: string }>(db, NOTE_CALLS, [...valuesOf(keys), at]);
  return new Set(rows.map(keyOf));
}

/** What this saga holds here asks for its decision at once. */
export async function askNow(work: Work, sagaId: string): Promise<void> {
  await work.run(ASK_NOW, [sagaId, work.now]);
}

/** Undefined where nothing waits for a decision. */
export async function nextAskAt(db: Queryable): Promise<Date | undefined> {
  const [row] = await run<{ at: Date | null }>(db, NEXT_ASK);
  return row?.at ?? undefined;
}

/** Locked; those that another replica has in hand are left to it. */
export async function dueAsks(work: Work, limit: number): Promise<BranchRow[]> {
  return (await work.run<SqlRow>(DUE_ASKS, [work.now, limit])).map(rowOf);
}

/** What has been waiting since before `before`. */
export async function stuckBranches(db: Queryable, before: Date, limit: number): Promise<BranchRow[]> {
  return (await run<SqlRow>(db, STUCK, [before, limit])).map(rowOf);
}

/** Forgets branches that ended before `before`, `limit` at most; gives how many. */
export async function purgeBranches(db: Queryable, before: Date, limit: number): Promise<number> {
  const time = before.getTime().toString(16).padStart(12, '0');
  const below = `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
  return (await run(db, PURGE, [below, before, limit])).length;
}

function rowOf(row: SqlRow): BranchRow {
  const { input, input_schema: inputSchema } = row;
  return {
    sagaId: row.saga_id,
    branch: row.branch,
    branchType: row.branch_type,
    coordinator: row.coordinator,
    state: row.state,
    input: input === null || inputSchema === null ? null : { input, inputSchema },
    deadline: row.deadline,
    reply: row.reply,
    code: row.code,
    reason: row.reason,
    createdAt: row.created_at,
    preparedAt: row.prepared_at,
    decidedAt: row.decided_at,
    askAt: row.ask_at,
    asks: row.asks,
    calledAt: row.called_at,
    outside: row.outside,
    trace: row.trace,
  };
}
