/** Pure: what a coordinator's own events say to a database that has forgotten them (H11). */
import { timeOf, type BranchKind, type EventEnvelope } from '@aura/contracts';
import type { AnySaga } from '../definition.js';
import * as protocol from '../generated/protocol.js';
import { beginning } from './beginning.js';
import {
  branchOf,
  evolve,
  heldBranch,
  isDecided,
  UNKNOWN,
  type Fact,
  type SagaBranch,
  type SagaState,
} from './saga-state.js';
import type { NewSaga } from './store.js';

/** What all of them have. */
export interface SaidByUs {
  readonly sagaId: string;
}

type Own = Pick<EventEnvelope<SaidByUs>, 'type' | 'payload' | 'headers'>;

const CONTRADICTION = 'the topic has another decision than this database: the first one in the topic counts';

/** The facts that `event` was raised for, as far as `state` lacks them. */
export function factsOf(state: SagaState, { type, payload }: Own): Fact[] {
  switch (type) {
    case protocol.BranchAsked.name: {
      const { branch } = (payload as protocol.BranchAsked).ask;
      return branchOf(state, branch)?.state === 'WAITING' ? [{ fact: 'asked', branch }] : [];
    }
    case protocol.SagaCommitted.name:
      return decided(state, 'COMMITT', { fact: 'committed' });
    case protocol.SagaAborted.name: {
      const { code, reason: text } = payload as protocol.SagaAborted;
      return decided(state, 'ABORT', { fact: 'aborted', why: { code, text } });
    }
    case protocol.BranchCancelAsked.name: {
      const { branch } = payload as protocol.BranchCancelAsked;
      return branchOf(state, branch)?.cancelAsked === false ? [{ fact: 'cancel-asked', branch }] : [];
    }
    default:
      return []; // SagaStarted: `begunAgain`; what was repeated was decided before
  }
}

/**
 * The saga that `event` speaks of, for a database that has none: from its definition, or, where this program
 * declares no such version, from what the event names. Undefined: the event alone does not say enough.
 * Idempotency keys, and inputs of branches that were not asked yet, are in no event: they are gone.
 */
export function begunAgain(
  { type, payload, headers }: Own,
  definitions: ReadonlyMap<string, AnySaga>,
  at: number,
): NewSaga | undefined {
  const { sagaId: id } = payload;
  const { traceparent, tracestate } = headers;
  const trace = { ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) };
  const head = { id, later: {}, trace, revision: 0, idempotencyKey: null, inputHash: null };
  const kinds = kindsOf(definitions);
  if (type === protocol.SagaStarted.name) {
    const { sagaType, sagaVersion, deadline, asks } = payload as protocol.SagaStarted;
    const definition = definitions.get(`${sagaType} v${sagaVersion}`);
    const started = timeOf(id)?.getTime() ?? at;
    const named = asks.map(({ branch, branchType }) => ({ name: branch, branchType }));
    const begun = definition ? beginning(definition, started) : beginningOf(named, kinds, 'WAITING', at);
    const facts: Fact[] = [
      { fact: 'recalled' },
      ...asks.map(({ branch }) => ({ fact: 'asked', branch }) as const),
    ];
    const state = evolve({ ...begun, deadline: deadline.getTime() }, facts, at);
    return { ...head, type: sagaType, version: sagaVersion, state, facts };
  }
  if (type !== protocol.SagaCommitted.name && type !== protocol.SagaAborted.name) return undefined;
  const { branches } = payload as protocol.SagaCommitted;
  const state = beginningOf(branches, kinds, 'PREPARED', at);
  return { ...head, type: UNKNOWN, version: 0, state, facts: [{ fact: 'recalled' }] };
}

function decided(state: SagaState, phase: 'COMMITT' | 'ABORT', fact: Fact): Fact[] {
  if (!isDecided(state)) return [fact];
  if (state.phase.startsWith(phase) || state.attention?.code === 'contradiction') return [];
  return [{ fact: 'attention', reason: { code: 'contradiction', text: CONTRADICTION } }];
}

function beginningOf(
  branches: readonly { readonly name: string; readonly branchType: string }[],
  kinds: ReadonlyMap<string, BranchKind>,
  state: SagaBranch['state'],
  at: number,
): SagaState {
  return {
    phase: state === 'PREPARED' ? 'PREPARED' : 'PREPARING',
    deadline: at,
    attentionMs: 120_000,
    movedAt: at,
    why: null,
    attention: null,
    branches: branches.map(({ name, branchType }) => ({
      ...heldBranch(name, branchType),
      kind: kinds.get(branchType) ?? 'reservable',
      state,
    })),
  };
}

function kindsOf(definitions: ReadonlyMap<string, AnySaga>): Map<string, BranchKind> {
  const types = [...definitions.values()].flatMap(({ branches }) => branches.map(({ type }) => type));
  return new Map(types.map(({ name, kind }) => [name, kind]));
}
