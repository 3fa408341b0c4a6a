/**
 * Pure: what a participant does with an ask, given what it did before. The barrier of a branch is one row,
 * written in the transaction of the effect (docs/adr/0016; the sub-transaction barrier of dtm, dtm.pub).
 *
 * B1 prepare takes effect at most once, and never after a cancel: a cancel that comes first leaves a
 *    tombstone, and the late prepare is refused;
 * B2 a yes stands until it is told otherwise: nothing but a commit or a cancel moves a prepared row;
 * B3 a commit takes effect once, and only after a yes; a cancel undoes once, and only what a yes did;
 * B4 what was answered is answered again, and nothing else happens (S7);
 * B5 commit and cancel exclude each other: the second of them is a violation, never applied (S1);
 * B6 a pivot that ran is never undone: its cancel is answered with its vote.
 */
import type { BranchKind } from '@aura/contracts';

/**
 * - `CALLING`: a prepare that asks outside; `STOPPING`: it does, and is to be given back (no pivot is);
 * - `COMMITTING`, `CANCELLING`: told to, and could not yet: a task goes on trying;
 * - `RELEASING`: given up here, to be given back outside;
 * - `TOMBSTONE`: cancelled before it ran.
 */
export const BARRIER_STATES = [
  'CALLING',
  'STOPPING',
  'PREPARED',
  'REFUSED',
  'COMMITTING',
  'COMMITTED',
  'CANCELLING',
  'RELEASING',
  'CANCELLED',
  'TOMBSTONE',
] as const;
export type BarrierState = (typeof BARRIER_STATES)[number];

/** `late`: the deadline has passed by the participant's clock. */
export type BarrierAsk =
  | { readonly phase: 'prepare'; readonly late: boolean }
  | { readonly phase: 'commit' }
  | { readonly phase: 'cancel' };

export type BarrierAction =
  /** Prepare, and answer with the vote. Of one that asks outside: begin the call, the answer comes later. */
  | { readonly do: 'prepare' }
  /** Write a refusal that no prepare ran for. */
  | { readonly do: 'refuse'; readonly code: 'late' }
  /** Answer that it was cancelled before; nothing is written. */
  | { readonly do: 'refuse-cancelled' }
  | { readonly do: 'commit' }
  | { readonly do: 'cancel' }
  /** Write a tombstone, and acknowledge. */
  | { readonly do: 'bury' }
  /** An external call is under way: whoever holds it gives it back once its outcome is known. */
  | { readonly do: 'stop-call' }
  | { readonly do: 'answer-vote' }
  | { readonly do: 'answer-committed' }
  | { readonly do: 'answer-cancelled'; readonly ran: boolean }
  /** The answer is on its way. */
  | { readonly do: 'nothing' }
  /** Not applied; an operator is told. */
  | { readonly do: 'alarm'; readonly violation: string };

/** `state`: undefined where the branch has no row yet. */
export function barrier(kind: BranchKind, state: BarrierState | undefined, ask: BarrierAsk): BarrierAction {
  if (ask.phase === 'prepare') return onPrepare(kind, state, ask.late);
  return ask.phase === 'commit' ? onCommit(kind, state) : onCancel(kind, state);
}

/** What came of an action: the vote of a prepare; whether a commit or a cancel threw. */
export interface BarrierOutcome {
  /** Undefined: there is no vote yet, somebody outside is asked. */
  readonly yes?: boolean;
  readonly failed?: boolean;
}

/** The state once `action` was carried out; undefined: as it was. */
export function stateAfter(
  kind: BranchKind,
  action: BarrierAction,
  { yes, failed = false }: BarrierOutcome = {},
): BarrierState | undefined {
  switch (action.do) {
    case 'prepare':
      if (kind === 'external' || (kind === 'pivot' && yes === undefined)) return 'CALLING';
      return yes ? 'PREPARED' : 'REFUSED';
    case 'refuse':
      return 'REFUSED';
    case 'bury':
      return 'TOMBSTONE';
    case 'stop-call':
      return 'STOPPING';
    case 'commit':
      return failed ? 'COMMITTING' : 'COMMITTED';
    case 'cancel':
      if (failed) return 'CANCELLING';
      return kind === 'external' ? 'RELEASING' : 'CANCELLED';
    case 'refuse-cancelled':
    case 'answer-vote':
    case 'answer-committed':
    case 'answer-cancelled':
    case 'nothing':
    case 'alarm':
      return undefined;
    default:
      return never(action);
  }
}

function onPrepare(kind: BranchKind, state: BarrierState | undefined, late: boolean): BarrierAction {
  if (kind === 'retriable') return { do: 'alarm', violation: 'a retriable branch was asked to prepare' };
  switch (state) {
    case undefined:
      return late ? { do: 'refuse', code: 'late' } : { do: 'prepare' };
    case 'TOMBSTONE': // B1
    case 'STOPPING':
      return { do: 'refuse-cancelled' };
    case 'CALLING':
      return { do: 'nothing' };
    case 'PREPARED':
    case 'REFUSED':
    case 'COMMITTING':
    case 'COMMITTED':
    case 'CANCELLING':
    case 'RELEASING':
    case 'CANCELLED':
      return { do: 'answer-vote' }; // B4
    default:
      return never(state);
  }
}

function onCommit(kind: BranchKind, state: BarrierState | undefined): BarrierAction {
  switch (state) {
    case undefined:
      return kind === 'retriable' ? { do: 'commit' } : violation('commit', 'never prepared');
    case 'PREPARED':
      return { do: 'commit' };
    case 'COMMITTING':
      return { do: 'nothing' };
    case 'COMMITTED':
      return { do: 'answer-committed' };
    case 'CALLING':
      return violation('commit', 'has not voted yet');
    case 'REFUSED':
      return violation('commit', 'was refused');
    case 'STOPPING':
    case 'CANCELLING':
    case 'RELEASING':
    case 'CANCELLED':
    case 'TOMBSTONE':
      return violation('commit', 'was cancelled'); // B5
    default:
      return never(state);
  }
}

function onCancel(kind: BranchKind, state: BarrierState | undefined): BarrierAction {
  switch (state) {
    case undefined:
      return { do: 'bury' }; // B1
    case 'CALLING': // B6: what a pivot did outside can't be given back, its vote comes when it is known
      return kind === 'pivot' ? { do: 'nothing' } : { do: 'stop-call' };
    case 'PREPARED':
      return kind === 'pivot' ? { do: 'answer-vote' } : { do: 'cancel' }; // B6
    case 'REFUSED':
    case 'TOMBSTONE':
      return { do: 'answer-cancelled', ran: false };
    case 'CANCELLED':
      return { do: 'answer-cancelled', ran: true };
    case 'STOPPING':
    case 'CANCELLING':
    case 'RELEASING':
      return { do: 'nothing' };
    case 'COMMITTING':
    case 'COMMITTED':
      return kind === 'pivot' ? { do: 'answer-vote' } : violation('cancel', 'was committed'); // B5, B6
    default:
      return never(state);
  }
}

function violation(phase: string, what: string): BarrierAction {
  return { do: 'alarm', violation: `it was told to ${phase}, but ${what}` };
}

function never(other: never): never {
  throw new TypeError(`no such state or action of a barrier: ${JSON.stringify(other)}`);
}
