/** Pure: what the events of coordinators ask of a participant. */
import type { EventEnvelope, EventType } from '@aura/contracts';
import type { BarrierAsk } from '../barrier.js';
import type { EncodedInput } from '../branch-codec.js';
import {
  BranchAsked,
  BranchCancelAsked,
  DecisionRepeated,
  SagaAborted,
  SagaCommitted,
  SagaStarted,
} from '../generated/protocol.js';

/** The events that a participant takes, from every service that may ask it. */
export const INCOMING = [
  SagaStarted,
  BranchAsked,
  SagaCommitted,
  SagaAborted,
  BranchCancelAsked,
  DecisionRepeated,
] as const;

/** Their tokens, as these services publish them. */
export function incomingTypes(coordinators: Iterable<string>): EventType[] {
  return [...coordinators].flatMap((name) => INCOMING.map((shared) => shared.by(name) as EventType));
}

/** One branch of one event: asked to prepare, or told what was decided. */
export interface Incoming {
  readonly event: EventEnvelope;
  readonly sagaId: string;
  readonly branch: string;
  readonly branchType: string;
  /** Who publishes on the event's topic, whatever its headers say (H28). */
  readonly coordinator: string;
  readonly phase: BarrierAsk['phase'];
  /** With an ask only: a decision says nothing of it. */
  readonly given: { readonly input: EncodedInput; readonly deadline: Date } | undefined;
}

type Asked = Pick<Incoming, 'branch' | 'branchType' | 'phase' | 'given'>;

/** What `event` says, branch by branch, whoever owns them. */
export function incomingOf(event: EventEnvelope): Incoming[] {
  const coordinator = event.topic.replace(/\.events$/, '');
  return askedIn(event).map(({ branch, branchType, phase, given }) => ({
    event,
    sagaId: event.key,
    coordinator,
    branch,
    branchType,
    phase,
    given,
  }));
}

function askedIn({ type, payload }: EventEnvelope): Asked[] {
  switch (type) {
    case SagaStarted.name: {
      const { asks, deadline } = payload as SagaStarted;
      return asks.map((ask) => askOf(ask, deadline));
    }
    case BranchAsked.name: {
      const { ask, deadline } = payload as BranchAsked;
      return [askOf(ask, deadline)];
    }
    case SagaCommitted.name:
      return (payload as SagaCommitted).branches.map((branch) => told(branch, 'commit'));
    case SagaAborted.name:
      return (payload as SagaAborted).branches.map((branch) => told(branch, 'cancel'));
    case BranchCancelAsked.name: {
      const { branch: name, branchType } = payload as BranchCancelAsked;
      return [told({ name, branchType }, 'cancel')];
    }
    case DecisionRepeated.name: {
      const { branch: name, branchType, decision } = payload as DecisionRepeated;
      return [told({ name, branchType }, decision === 'COMMITTED' ? 'commit' : 'cancel')];
    }
    default:
      return [];
  }
}

interface WireAsk extends EncodedInput {
  readonly branch: string;
  readonly branchType: string;
}

function askOf({ branch, branchType, inputSchema, input }: WireAsk, deadline: Date): Asked {
  return { branch, branchType, phase: 'prepare', given: { input: { inputSchema, input }, deadline } };
}

function told(
  { name, branchType }: { readonly name: string; readonly branchType: string },
  phase: Asked['phase'],
): Asked {
  return { branch: name, branchType, phase, given: undefined };
}

/**
 * The asks of a run in rounds, one after the other: those of one round belong to different branches, and
 * those of one saga to one event. So each saga keeps its own order while different ones go together.
 */
export function roundsOf(asks: readonly Incoming[]): Incoming[][] {
  const rounds: Incoming[][] = [];
  const latest = new Map<string, { round: number; event: EventEnvelope; branches: Set<string> }>();
  for (const ask of asks) {
    const before = latest.get(ask.sagaId);
    const joins = before !== undefined && before.event === ask.event && !before.branches.has(ask.branch);
    const round = joins ? before.round : before === undefined ? 0 : before.round + 1;
    if (joins) before.branches.add(ask.branch);
    else latest.set(ask.sagaId, { round, event: ask.event, branches: new Set([ask.branch]) });
    (rounds[round] ??= []).push(ask);
  }
  return rounds;
}
