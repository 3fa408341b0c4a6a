import { run, statement, type Queryable } from '@aura/platform';
import { repliesOf } from './replies.js';
import type { Reason, SagaBranch, SagaPhase, SagaState } from './saga-state.js';

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

interface Row {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  readonly state: SagaState;
  readonly started_at: Date;
  readonly decided_at: Date | null;
  readonly ended_at: Date | null;
}

const BY_ID = statement(
  'saga_by_id',
  `select id, type, version, state, started_at, decided_at, ended_at from aura.saga where id = $1`,
);

/** Undefined: this service knows no such saga. */
export async function viewOf(db: Queryable, id: string): Promise<SagaView | undefined> {
  const [row] = await run<Row>(db, BY_ID, [id]);
  return row && toView(row);
}

function toView({ state, ...row }: Row): SagaView {
  return {
    id: row.id,
    type: row.type,
    version: row.version,
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
    startedAt: row.started_at,
    decidedAt: row.decided_at,
    endedAt: row.ended_at,
  };
}
