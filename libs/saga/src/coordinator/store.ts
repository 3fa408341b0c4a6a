/** The only statements on `aura.saga` and `aura.saga_log`. */
import { ConflictError, run, statement, type Queryable } from '@aura/platform';
import type { QueryResultRow } from 'pg';
import { assertRecalled, RECALLED } from './amnesia-store.js';
import type { SagaHead } from './announce.js';
import { movesOf, planOf, stateFrom, type SagaMoves, type SagaPlan } from './saga-row.js';
import { isDecided, isEnded, wakeAt, type Fact, type SagaState } from './saga-state.js';

/** Runs a statement in a unit of work, or on a pool. */
export interface Statements {
  run<R extends QueryResultRow>(wanted: { name: string; text: string }, values?: unknown[]): Promise<R[]>;
}

/** A saga as it was read under its lock. */
export interface KnownSaga extends SagaHead {
  readonly plan: SagaPlan;
  readonly state: SagaState;
  readonly startedAt: Date;
  readonly revision: number;
  /** `traceparent` and `tracestate` of its start. */
  readonly trace: Readonly<Record<string, string>>;
}

/** What a step leaves behind: the state after it, and the facts that made it. */
export interface SteppedSaga {
  readonly saga: KnownSaga;
  readonly next: SagaState;
  readonly facts: readonly Fact[];
}

export interface NewSaga extends Omit<KnownSaga, 'startedAt' | 'plan'> {
  readonly idempotencyKey: string | null;
  readonly inputHash: Buffer | null;
  readonly facts: readonly Fact[];
}

/** None for those whose idempotency key is taken: the first one stands. In order: two inserts meet alike. */
const INSERT = statement(
  'saga_insert',
  `with wanted as (
     select * from unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
                          $8::text[], $9::text[], $10::bytea[], $11::text[], $12::timestamptz[],
                          $13::boolean[], $14::boolean[], $15::text[])
       as w(id, type, version, phase, plan, state, later, trace, idempotency_key, input_hash, attention,
            wake_at, decided, ended, facts)),
   made as (
     insert into aura.saga (id, type, version, phase, plan, state, later, trace, revision, idempotency_key,
                            input_hash, attention, wake_at, started_at, decided_at, ended_at)
     select id, type, version, phase, plan::jsonb, state::jsonb, later::jsonb, trace::jsonb, 1,
            idempotency_key, input_hash, attention, wake_at, $16,
            case when decided then $16::timestamptz end, case when ended then $16::timestamptz end
       from wanted order by type, idempotency_key, id
         on conflict do nothing
     returning id)
   insert into aura.saga_log (saga_id, revision, at, facts)
   select id, 1, $16, facts::jsonb from wanted join made using (id)
   returning saga_id`,
);

const BY_KEYS = statement(
  'saga_by_keys',
  `select id, type, idempotency_key, input_hash from aura.saga
    where (type, idempotency_key) in (select * from unnest($1::text[], $2::text[]))`,
);

const COLUMNS = 'id, type, version, plan, state, later, trace, revision, started_at as "startedAt"';

type Row = Omit<KnownSaga, 'state'> & { readonly state: SagaMoves } & QueryResultRow;

/** By id: two units that meet in several sagas lock them in the same order (H18). */
const LOCK_KNOWN = statement(
  'saga_lock_known',
  `select ${COLUMNS} from aura.saga
    where id = any($1::uuid[]) order by id for update`,
);

/** As `saga_lock_known`; none while they may not be stepped (A1 of amnesia.ts). */
const LOCK = statement(
  'saga_lock',
  `select ${COLUMNS} from aura.saga
    where id = any($1::uuid[]) and ${RECALLED} order by id for update`,
);

/** As `saga_lock_known`, of types and versions $3: those whose time has come and nobody else has in hand. */
const CLAIM_DUE = statement(
  'saga_claim_due',
  `select ${COLUMNS} from aura.saga
    where wake_at <= $1 and type || ' v' || version = any($3::text[])
    order by wake_at limit $2 for update skip locked`,
);

const NEXT_WAKE = statement(
  'saga_next_wake',
  `select min(wake_at) as at from aura.saga
    where wake_at is not null and type || ' v' || version = any($1::text[])`,
);

/**
 * The rows are locked, so each is at the revision that was read; a row that is not is another's. An earlier
 * wake-up that is still to come stays: it only looks, and the row's indexed columns stay as they are.
 */
const STEP = statement(
  'saga_step',
  `with wanted as (
     select * from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                          $7::boolean[], $8::boolean[], $9::text[])
       as w(id, revision, phase, state, attention, wake_at, decided, ended, facts)),
   stepped as (
     update aura.saga s
        set revision = w.revision + 1, phase = w.phase, state = w.state::jsonb, attention = w.attention,
            wake_at = case when w.wake_at is null then null
                           when s.wake_at > $10 then least(s.wake_at, w.wake_at)
                           else w.wake_at end,
            decided_at = case when w.decided then coalesce(s.decided_at, $10) end,
            ended_at = case when w.ended then coalesce(s.ended_at, $10) end
       from wanted w
      where s.id = w.id and s.revision = w.revision
      returning s.id, w.revision + 1 as revision, w.facts)
   insert into aura.saga_log (saga_id, revision, at, facts)
   select id, revision, $10, facts::jsonb from stepped
   returning saga_id`,
);

/** A look that changed nothing: the next one. */
const REWAKE = statement(
  'saga_rewake',
  `update aura.saga s set wake_at = w.wake_at
     from unnest($1::uuid[], $2::timestamptz[]) as w(id, wake_at) where s.id = w.id`,
);

/** Ids of those that are new; of the others the idempotency key, or the id, was there before. */
export async function insertSagas(db: Statements, sagas: readonly NewSaga[], at: Date): Promise<Set<string>> {
  const plans = sagas.map(({ state }) => planOf(state));
  const rows = await db.run<{ saga_id: string }>(INSERT, [
    sagas.map(({ id }) => id),
    sagas.map(({ type }) => type),
    sagas.map(({ version }) => version),
    sagas.map(({ state }) => state.phase),
    plans.map((plan) => JSON.stringify(plan)),
    sagas.map(({ state }, index) => JSON.stringify(movesOf(state, plans[index] as SagaPlan))),
    sagas.map(({ later }) => JSON.stringify(later)),
    sagas.map(({ trace }) => JSON.stringify(trace)),
    sagas.map(({ idempotencyKey }) => idempotencyKey),
    sagas.map(({ inputHash }) => inputHash),
    sagas.map(({ state }) => state.attention?.code ?? null),
    sagas.map(({ state }) => wakeDate(state)),
    sagas.map(({ state }) => isDecided(state)),
    sagas.map(({ state }) => isEnded(state)),
    sagas.map(({ facts }) => JSON.stringify(facts)),
    at,
  ]);
  return new Set(rows.map(({ saga_id: id }) => id));
}

/** The sagas that were started with these keys. */
export async function sagasByKey(
  db: Statements,
  keys: readonly { readonly type: string; readonly key: string }[],
): Promise<{ id: string; type: string; key: string; inputHash: Buffer }[]> {
  if (keys.length === 0) return [];
  const rows = await db.run<{ id: string; type: string; idempotency_key: string; input_hash: Buffer }>(
    BY_KEYS,
    [keys.map(({ type }) => type), keys.map(({ key }) => key)],
  );
  return rows.map(({ id, type, idempotency_key: key, input_hash: inputHash }) => ({
    id,
    type,
    key,
    inputHash,
  }));
}

/**
 * Those of `ids` (each once) that are there. Throws `HoldError` while no saga may be stepped. Where some are
 * missing it looks again: they may have been taken back between the look and the answer that all of them are.
 */
export async function lockSagas(db: Statements, ids: readonly string[]): Promise<KnownSaga[]> {
  const sagas = await db.run<Row>(LOCK, [ids]);
  if (sagas.length === ids.length) return sagas.map(toKnown);
  await assertRecalled(db);
  return (await db.run<Row>(LOCK, [ids])).map(toKnown);
}

/** As `lockSagas`, at any time: for amnesia.ts itself. */
export async function lockKnown(db: Statements, ids: readonly string[]): Promise<KnownSaga[]> {
  return (await db.run<Row>(LOCK_KNOWN, [ids])).map(toKnown);
}

export async function claimDue(
  db: Statements,
  at: Date,
  limit: number,
  labels: readonly string[],
): Promise<KnownSaga[]> {
  return (await db.run<Row>(CLAIM_DUE, [at, limit, labels])).map(toKnown);
}

function toKnown(row: Row): KnownSaga {
  return { ...row, state: stateFrom(row.plan, row.state) };
}

/** When the next timer is due; undefined: there is none. */
export async function nextWake(db: Queryable, labels: readonly string[]): Promise<Date | undefined> {
  const [row] = await run<{ at: Date | null }>(db, NEXT_WAKE, [labels]);
  return row?.at ?? undefined;
}

/** Writes steps of locked sagas. Throws `ConflictError` where one was changed by somebody else. */
export async function writeSteps(db: Statements, steps: readonly SteppedSaga[], at: Date): Promise<void> {
  if (steps.length === 0) return;
  const rows = await db.run(STEP, [
    steps.map(({ saga }) => saga.id),
    steps.map(({ saga }) => saga.revision),
    steps.map(({ next }) => next.phase),
    steps.map(({ saga, next }) => JSON.stringify(movesOf(next, saga.plan))),
    steps.map(({ next }) => next.attention?.code ?? null),
    steps.map(({ next }) => wakeDate(next)),
    steps.map(({ next }) => isDecided(next)),
    steps.map(({ next }) => isEnded(next)),
    steps.map(({ facts }) => JSON.stringify(facts)),
    at,
  ]);
  if (rows.length !== steps.length)
    throw new ConflictError('a saga was changed by another process in the middle of a step: decide again');
}

/** For locked sagas whose timer came, and that did not move. */
export async function rewake(db: Statements, sagas: readonly KnownSaga[]): Promise<void> {
  if (sagas.length === 0) return;
  await db.run(REWAKE, [sagas.map(({ id }) => id), sagas.map(({ state }) => wakeDate(state))]);
}

function wakeDate(state: SagaState): Date | null {
  const at = wakeAt(state);
  return at === undefined ? null : new Date(at);
}
