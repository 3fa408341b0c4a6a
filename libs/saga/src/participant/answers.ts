/** What a participant says to the coordinator: each answer a function of the branch's row alone. */
import type { EventType, NewEvent } from '@aura/contracts';
import { BranchesAnswered, DecisionAsked, type BranchesAnsweredAnswer } from '../generated/protocol.js';
import type { BranchRow } from './branch-row.js';

/** The row, or as much of it as there is. */
export type Answered = Pick<BranchRow, 'sagaId' | 'branch' | 'branchType' | 'coordinator'>;

/** One answer, and who it is for. `traceparent`: whoever raises it says where it was settled. */
export interface Answer extends Omit<BranchesAnsweredAnswer, 'traceparent'> {
  readonly coordinator: string;
}

const SILENT = { reply: null, code: null, reason: null } as const;

/** The vote that was given. */
export function voteOf(row: Answered & Pick<BranchRow, 'reply' | 'code' | 'reason'>): Answer {
  const { code, reply, reason } = row;
  return code === null
    ? { ...headOf(row), ...SILENT, says: 'PREPARED', reply }
    : refusalOf(row, code, reason ?? '');
}

export function refusalOf(branch: Answered, code: string, reason: string): Answer {
  return { ...headOf(branch), says: 'REFUSED', reply: null, code, reason };
}

export function ackOfCommit(branch: Answered): Answer {
  return { ...headOf(branch), ...SILENT, says: 'COMMITTED' };
}

/** `ran`: it had been prepared, and is undone. */
export function ackOfCancel(branch: Answered, ran: boolean): Answer {
  return { ...headOf(branch), ...SILENT, says: ran ? 'CANCELLED' : 'NEVER_RAN' };
}

/** The events that `service` answers with. */
export function answersOf(service: string): EventType[] {
  return [BranchesAnswered, DecisionAsked].map((shared) => shared.by(service) as EventType);
}

/** What was decided? */
export function questionOf(
  service: string,
  row: Answered & Pick<BranchRow, 'preparedAt' | 'createdAt'>,
): NewEvent {
  const heldSince = row.preparedAt ?? row.createdAt;
  return DecisionAsked.by(service).of({ ...headOf(row), heldSince });
}

function headOf({ sagaId, coordinator, branch, branchType }: Answered): Answered {
  return { sagaId, coordinator, branch, branchType };
}
