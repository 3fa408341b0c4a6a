/** Pure: the row of a branch, and how what happened changes it. */
import { stateAfter, type BarrierAction, type BarrierOutcome, type BarrierState } from '../barrier.js';
import type { BranchKind } from '@aura/contracts';
import type { EncodedInput } from '../branch-codec.js';
import type { Incoming } from './incoming.js';
import type { Vote } from './participant.js';

/** What a participant remembers of one branch. */
export interface BranchRow {
  readonly sagaId: string;
  readonly branch: string;
  /** Pinned by the first ask, as is `coordinator` (H28). */
  readonly branchType: string;
  readonly coordinator: string;
  readonly state: BarrierState;
  /** Null on a tombstone only, as is `deadline`. */
  readonly input: EncodedInput | null;
  readonly deadline: Date | null;
  /** JSON, of a yes. */
  readonly reply: string | null;
  /** Of a no. */
  readonly code: string | null;
  readonly reason: string | null;
  readonly createdAt: Date;
  readonly preparedAt: Date | null;
  readonly decidedAt: Date | null;
  /** When it asks for its decision. */
  readonly askAt: Date | null;
  readonly asks: number;
  /** When somebody outside may have been asked last. */
  readonly calledAt: Date | null;
  /** What they said. */
  readonly outside: object | null;
  /** `traceparent` and `tracestate` of the ask. */
  readonly trace: Readonly<Record<string, string>>;
}

/** Which branch of which saga. */
export type BranchKey = Pick<BranchRow, 'sagaId' | 'branch'>;

/** As a key of maps, of tasks, and of calls outside: a saga's id is a UUID. */
export function keyOf({ sagaId, branch }: BranchKey): string {
  return `${sagaId}/${branch}`;
}

export interface Settled extends BarrierOutcome {
  /** Of a prepare. */
  readonly vote?: Vote;
  readonly now: Date;
  /** When a yes asks for its decision. */
  readonly askAt?: Date;
}

/**
 * The branch's row once `action` was carried out; the same object where nothing is to be written, undefined
 * where there was none and none is needed.
 */
export function settled(
  row: BranchRow | undefined,
  ask: Incoming,
  kind: BranchKind,
  action: BarrierAction,
  how: Settled,
): BranchRow | undefined {
  const state = stateAfter(kind, action, how);
  if (state === undefined) return row;
  const { now, vote } = how;
  const next = { ...(row ?? newRow(ask, state, now)), state };
  if (state === 'CALLING') return next;
  if (state === 'PREPARED')
    return { ...next, reply: replyOf(vote), preparedAt: now, askAt: how.askAt ?? null };
  if (state === 'REFUSED') return { ...next, ...refusalOf(vote), decidedAt: now };
  return { ...next, askAt: null, decidedAt: now };
}

function newRow(ask: Incoming, state: BarrierState, now: Date): BranchRow {
  const { traceparent, tracestate } = ask.event.headers;
  return {
    sagaId: ask.sagaId,
    branch: ask.branch,
    branchType: ask.branchType,
    coordinator: ask.coordinator,
    state,
    input: ask.given?.input ?? null,
    deadline: ask.given?.deadline ?? null,
    reply: null,
    code: null,
    reason: null,
    createdAt: now,
    preparedAt: null,
    decidedAt: null,
    askAt: null,
    asks: 0,
    calledAt: null,
    outside: null,
    trace: { ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) },
  };
}

function replyOf(vote: Vote | undefined): string | null {
  return vote?.prepared === true && vote.reply !== undefined ? JSON.stringify(vote.reply) : null;
}

function refusalOf(vote: Vote | undefined): { readonly code: string; readonly reason: string } {
  return vote?.prepared === false
    ? { code: vote.code, reason: vote.reason }
    : { code: 'failed', reason: 'the participant did not say why' };
}
