/** Pure: what the events of participants say to a coordinator. */
import type { EventEnvelope } from '@aura/contracts';
import * as protocol from '../generated/protocol.js';
import type { SagaEvent } from './decide.js';

/** What a coordinator takes, from every service that owns a branch of its sagas. */
export const HEARD = [
  protocol.BranchPrepared,
  protocol.BranchRefused,
  protocol.BranchCommitted,
  protocol.BranchCancelled,
  protocol.DecisionAsked,
] as const;

/** All that these have in common. */
export type Said = Pick<protocol.BranchPrepared, 'sagaId' | 'branch' | 'branchType' | 'coordinator'>;

/** Undefined for an event that is none of them. */
export function heardIn({
  type,
  payload,
}: Pick<EventEnvelope<Said>, 'type' | 'payload'>): SagaEvent | undefined {
  const { branch } = payload;
  switch (type) {
    case protocol.BranchPrepared.name:
      return { type: 'prepared', branch, reply: (payload as protocol.BranchPrepared).reply };
    case protocol.BranchRefused.name: {
      const { code, reason } = payload as protocol.BranchRefused;
      return { type: 'refused', branch, code, text: reason };
    }
    case protocol.BranchCommitted.name:
      return { type: 'branch-committed', branch };
    case protocol.BranchCancelled.name:
      return { type: 'branch-cancelled', branch, ran: (payload as protocol.BranchCancelled).ran };
    case protocol.DecisionAsked.name:
      return { type: 'decision-asked', branch };
    default:
      return undefined;
  }
}
