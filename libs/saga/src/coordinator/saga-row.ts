/**
 * Pure: a saga's state as its row has it. What is fixed when it starts is apart (`plan`) from what every step
 * writes anew (`state`): a step is most of what a coordinator's database does, and costs what it writes.
 */
import type { Reason, SagaBranch, SagaPhase, SagaState } from './saga-state.js';

type Fixed = 'name' | 'type' | 'owner' | 'kind' | 'after';

/** Fixed when the saga starts. */
export interface SagaPlan {
  readonly deadline: number;
  readonly attentionMs: number;
  readonly branches: readonly Pick<SagaBranch, Fixed>[];
}

/** One that is not of the plan (of a saga that nothing else is known of) is there as a whole. */
type MovedBranch = Pick<SagaBranch, 'state'> & Partial<SagaBranch>;

/** What is left out is null, or false. */
export interface SagaMoves {
  readonly phase: SagaPhase;
  readonly movedAt: number;
  readonly why?: Reason;
  readonly attention?: Reason;
  /** In the order of the plan. */
  readonly branches: readonly MovedBranch[];
}

export function planOf({ deadline, attentionMs, branches }: SagaState): SagaPlan {
  const fixed = branches.map(({ name, type, owner, kind, after }) => ({ name, type, owner, kind, after }));
  return { deadline, attentionMs, branches: fixed };
}

export function movesOf({ phase, movedAt, why, attention, branches }: SagaState, plan: SagaPlan): SagaMoves {
  return {
    phase,
    movedAt,
    ...(why && { why }),
    ...(attention && { attention }),
    branches: branches.map((branch, index) => (index < plan.branches.length ? moved(branch) : branch)),
  };
}

function moved({ state, cancelAsked, reply, refusal }: SagaBranch): MovedBranch {
  return {
    state,
    ...(cancelAsked && { cancelAsked }),
    ...(reply !== null && { reply }),
    ...(refusal && { refusal }),
  };
}

/** `plan` and `moves` of one row. */
export function stateFrom(plan: SagaPlan, moves: SagaMoves): SagaState {
  const branches = moves.branches.map((branch, index) => ({
    ...UNMOVED,
    ...plan.branches[index],
    ...branch,
  }));
  return {
    phase: moves.phase,
    movedAt: moves.movedAt,
    why: moves.why ?? null,
    attention: moves.attention ?? null,
    deadline: plan.deadline,
    attentionMs: plan.attentionMs,
    branches: branches as SagaBranch[],
  };
}

const UNMOVED = { cancelAsked: false, reply: null, refusal: null } as const;
