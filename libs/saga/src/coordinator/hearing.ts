/** Pure: what the events of participants say to a coordinator. */
import type { EventEnvelope } from '@aura/contracts';
import { BranchesAnswered, DecisionAsked, type BranchesAnsweredAnswer } from '../generated/protocol.js';
import type { SagaEvent } from './decide.js';

/** What a coordinator takes, from every service that owns a branch of its sagas. */
export const HEARD = [BranchesAnswered, DecisionAsked] as const;

/** What was said of one branch. */
export interface Said {
  readonly sagaId: string;
  readonly branch: string;
  readonly branchType: string;
  readonly event: SagaEvent;
  /** Where: of its publisher alone, whatever the event says of itself (H28). */
  readonly topic: string;
  /** `traceparent` and `tracestate` of where it was settled; empty where that is not recorded. */
  readonly trace: Readonly<Record<string, string>>;
  /** Undefined: it was set aside, and a task takes it. */
  readonly cause?: EventEnvelope;
}

/** Whom an event of participants is for. */
export function listenerOf({ payload }: EventEnvelope): string {
  return (payload as BranchesAnswered | DecisionAsked).coordinator;
}

/** All that `cause` says, in order. */
export function saidIn(cause: EventEnvelope): Said[] {
  const { topic } = cause;
  if (cause.type === DecisionAsked.name) {
    const { sagaId, branch, branchType } = cause.payload as DecisionAsked;
    const { traceparent, tracestate } = cause.headers;
    const trace = { ...(traceparent && { traceparent }), ...(tracestate && { tracestate }) };
    return [{ sagaId, branch, branchType, event: { type: 'decision-asked', branch }, topic, trace, cause }];
  }
  return (cause.payload as BranchesAnswered).answers.map((answer) => {
    const { sagaId, branch, branchType, traceparent } = answer;
    const trace: Said['trace'] = traceparent === null ? {} : { traceparent };
    return { sagaId, branch, branchType, event: eventOf(answer), topic, trace, cause };
  });
}

function eventOf({ branch, says, reply, code, reason }: BranchesAnsweredAnswer): SagaEvent {
  switch (says) {
    case 'PREPARED':
      return { type: 'prepared', branch, reply };
    case 'REFUSED':
      return { type: 'refused', branch, code: code ?? '', text: reason ?? '' };
    case 'COMMITTED':
      return { type: 'branch-committed', branch };
    case 'CANCELLED':
    case 'NEVER_RAN':
      return { type: 'branch-cancelled', branch, ran: says === 'CANCELLED' };
    default:
      return never(says);
  }
}

function never(says: never): never {
  throw new TypeError(`no such answer: ${JSON.stringify(says)}`);
}
