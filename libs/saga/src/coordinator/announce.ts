/** Pure: the events that facts of a saga become. */
import type { NewEvent } from '@aura/contracts';
import * as protocol from '../generated/protocol.js';
import { evolve, isDecided, type Fact, type SagaBranch, type SagaState } from './saga-state.js';

/** An ask that is kept until its turn comes: what the branch will be asked. */
export interface LaterAsk {
  readonly inputSchema: string;
  /** Base64. */
  readonly input: string;
}

/** What of a saga is pinned at its start. */
export interface SagaHead {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  /** By branch; of those that are not asked at once. */
  readonly later: Readonly<Record<string, LaterAsk>>;
}

/** The tokens of one coordinator: the protocol's events on its own topic. */
export function coordinatorEvents(service: string) {
  return {
    started: protocol.SagaStarted.by(service),
    asked: protocol.BranchAsked.by(service),
    committed: protocol.SagaCommitted.by(service),
    aborted: protocol.SagaAborted.by(service),
    cancelAsked: protocol.BranchCancelAsked.by(service),
    repeated: protocol.DecisionRepeated.by(service),
  } as const;
}

export type CoordinatorEvents = ReturnType<typeof coordinatorEvents>;

/** What has to be raised for `facts`, in order. `state`: before them. */
export function announcements(
  events: CoordinatorEvents,
  head: SagaHead,
  state: SagaState,
  facts: readonly Fact[],
  at: number,
): NewEvent[] {
  const out: NewEvent[] = [];
  let before = state;
  for (const fact of facts) {
    const event = announcement(events, head, before, fact);
    if (event) out.push(event);
    before = evolve(before, [fact], at);
  }
  return out;
}

function announcement(
  events: CoordinatorEvents,
  head: SagaHead,
  state: SagaState,
  fact: Fact,
): NewEvent | undefined {
  const sagaId = head.id;
  switch (fact.fact) {
    case 'asked':
      return asked(events, head, state, fact.branch);
    case 'committed': {
      const branches = state.branches.filter((branch) => branch.state === 'PREPARED').map(named);
      return events.committed.of({ sagaId, branches });
    }
    case 'aborted': {
      const branches = state.branches.filter(isCancelledAtOnce).map(named);
      return events.aborted.of({ sagaId, branches, code: fact.why.code, reason: fact.why.text });
    }
    case 'cancel-asked':
      return events.cancelAsked.of({ sagaId, ...addressOf(state, fact.branch) });
    case 'decision-repeated':
      if (!isDecided(state)) return undefined;
      return events.repeated.of({
        sagaId,
        ...addressOf(state, fact.branch),
        decision: state.phase === 'COMMITTING' || state.phase === 'COMMITTED' ? 'COMMITTED' : 'ABORTED',
      });
    default:
      return undefined;
  }
}

function asked(
  { asked: token }: CoordinatorEvents,
  { id: sagaId, type, version, later }: SagaHead,
  state: SagaState,
  branch: string,
): NewEvent | undefined {
  const kept = later[branch];
  // Gone with a database that was put back (amnesia-fold.ts): its silence gets an operator's attention.
  if (!kept) return undefined;
  const { branchType } = addressOf(state, branch);
  return token.of({
    sagaId,
    sagaType: type,
    sagaVersion: version,
    deadline: new Date(state.deadline),
    ask: { branch, branchType, inputSchema: kept.inputSchema, input: Buffer.from(kept.input, 'base64') },
  });
}

/** Compensations are asked one by one; a branch that was not asked, or refused, holds nothing. */
function isCancelledAtOnce({ kind, state }: SagaBranch): boolean {
  const holds = state === 'ASKED' || state === 'PREPARED';
  return holds && (kind === 'reservable' || kind === 'external');
}

function addressOf(state: SagaState, branch: string): { branch: string; branchType: string } {
  return { branch, branchType: state.branches.find(({ name }) => name === branch)?.type ?? '' };
}

function named({ name, type }: SagaBranch): { name: string; branchType: string } {
  return { name, branchType: type };
}
