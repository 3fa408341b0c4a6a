import { run, statement, type Queryable } from '@aura/platform';
import type { QueryResultRow } from 'pg';
import { repliesOf } from './replies.js';
import { stateFrom, type SagaMoves, type SagaPlan } from './saga-row.js';
import {
  isEnded,
  type Fact,
  type Reason,
  type SagaBranch,
  type SagaPhase,
  type SagaState,
} from './saga-state.js';
import type { Stepped } from './step.js';

/** A saga as its own service shows it. */
export interface SagaView {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  readonly phase: SagaPhase;
  readonly branches: readonly Pick<SagaBranch, 'name' | 'type' | 'owner' | 'kind' | 'state' | 'refusal'>[];
  /** What participants replied, by branch. */
  readonly replies: Readonly<Record<string, unknown>>;
  /** Of an abort. */
  readonly why: Reason | null;
  /** An operator should look, and why. */
  readonly attention: Reason | null;
  readonly deadline: Date;
  readonly startedAt: Date;
  readonly decidedAt: Date | null;
  readonly endedAt: Date | null;
}

/** What narrows a list; nothing given is everything. */
export interface SagaSelection {
  readonly type?: string | undefined;
  readonly phase?: SagaPhase | undefined;
  /** Only those that an operator should look at. */
  readonly attention?: boolean | undefined;
  /** Only those that were started before. */
  readonly startedBefore?: Date | undefined;
}

/** Newest first. */
export interface SagaPage {
  readonly sagas: readonly SagaView[];
  /** Where the next page begins; undefined: this is the last. */
  readonly next: string | undefined;
}

/** One step of a saga. */
export interface SagaLogEntry {
  readonly revision: number;
  readonly at: Date;
  readonly facts: readonly Fact[];
}

interface Row extends QueryResultRow {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  readonly plan: SagaPlan;
  readonly state: SagaMoves;
  readonly started_at: Date;
  readonly decided_at: Date | null;
  readonly ended_at: Date | null;
}

const COLUMNS = 'id, type, version, plan, state, started_at, decided_at, ended_at';
const BY_IDS = statement('saga_by_ids', `select ${COLUMNS} from aura.saga where id = any($1::uuid[])`);
const DECIDED = statement(
  'saga_decided_of',
  `select ${COLUMNS} from aura.saga where id = any($1::uuid[]) and decided_at is not null`,
);

const NARROWED = `($1::text is null or type = $1) and ($2::text is null or phase = $2)
      and ($3::timestamptz is null or started_at < $3) and ($4::uuid is null or id < $4)`;
const LIST = statement(
  'saga_list',
  `select ${COLUMNS} from aura.saga where ${NARROWED} order by id desc limit $5`,
);
/** By its own index, however many others there are. */
const LIST_ATTENTION = statement(
  'saga_list_attention',
  `select ${COLUMNS} from aura.saga where attention is not null and ${NARROWED} order by id desc limit $5`,
);
const OLDEST_ATTENTION = statement(
  'saga_oldest_attention',
  `select ${COLUMNS} from aura.saga where attention is not null order by started_at limit $1`,
);
const LOG = statement(
  'saga_log_of',
  'select revision, at, facts from aura.saga_log where saga_id = $1 order by revision desc limit $2',
);

/** Those of `ids` that this service knows, by id. */
export async function viewsOf(db: Queryable, ids: readonly string[]): Promise<Map<string, SagaView>> {
  return new Map((await run<Row>(db, BY_IDS, [ids])).map((row) => [row.id, toView(row)]));
}

/** Those of `ids` that are decided, by whichever replica. */
export async function decidedOf(db: Queryable, ids: readonly string[]): Promise<SagaView[]> {
  return (await run<Row>(db, DECIDED, [ids])).map(toView);
}

/** With what its rules are asked with. */
export async function stateOf(
  db: Queryable,
  id: string,
): Promise<{ readonly view: SagaView; readonly state: SagaState } | undefined> {
  const [row] = await run<Row>(db, BY_IDS, [[id]]);
  return row && { view: toView(row), state: stateFrom(row.plan, row.state) };
}

/** `before`: `next` of the page before this one. */
export async function listSagas(
  db: Queryable,
  { type, phase, attention, startedBefore }: SagaSelection,
  limit: number,
  before?: string,
): Promise<SagaPage> {
  const values = [type ?? null, phase ?? null, startedBefore ?? null, before ?? null, limit + 1];
  const rows = await run<Row>(db, attention === true ? LIST_ATTENTION : LIST, values);
  const shown = rows.slice(0, limit);
  return { sagas: shown.map(toView), next: rows.length > limit ? shown.at(-1)?.id : undefined };
}

/** Those that have waited for an operator longest. */
export async function inAttention(db: Queryable, limit: number): Promise<readonly SagaView[]> {
  return (await run<Row>(db, OLDEST_ATTENTION, [limit])).map(toView);
}

/** The last `limit` steps, in order. */
export async function logOf(db: Queryable, id: string, limit: number): Promise<readonly SagaLogEntry[]> {
  return (await run<SagaLogEntry & QueryResultRow>(db, LOG, [id, limit])).toReversed();
}

/** A saga that a step has just decided, as its row is now. */
export function viewOfDecided({ saga, next }: Stepped, at: Date): SagaView {
  const { id, type, version, startedAt } = saga;
  return {
    id,
    type,
    version,
    ...ofState(next),
    startedAt,
    decidedAt: at,
    endedAt: isEnded(next) ? at : null,
  };
}

/** The same saga with another state: what it would be. */
export function viewAfter(view: SagaView, state: SagaState): SagaView {
  return { ...view, ...ofState(state) };
}

function toView({ plan, state, ...row }: Row): SagaView {
  return {
    id: row.id,
    type: row.type,
    version: row.version,
    ...ofState(stateFrom(plan, state)),
    startedAt: row.started_at,
    decidedAt: row.decided_at,
    endedAt: row.ended_at,
  };
}

function ofState(state: SagaState) {
  return {
    phase: state.phase,
    branches: state.branches.map(({ name, type, owner, kind, state: is, refusal }) => ({
      name,
      type,
      owner,
      kind,
      state: is,
      refusal,
    })),
    replies: repliesOf(state),
    why: state.why,
    attention: state.attention,
    deadline: new Date(state.deadline),
  };
}
