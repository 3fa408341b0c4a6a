/** What a participant says to the coordinator: each answer a function of the branch's row alone. */
import type { EventType, NewEvent } from '@aura/contracts';
import type { RaiseOptions } from '@aura/eventing';
import {
  BranchCancelled,
  BranchCommitted,
  BranchPrepared,
  BranchRefused,
  DecisionAsked,
} from '../generated/protocol.js';
import type { BranchRow } from './branch-row.js';

/** The row, or as much of it as there is. */
export type Answered = Pick<BranchRow, 'sagaId' | 'branch' | 'branchType' | 'coordinator'>;

const ANSWERS = [BranchPrepared, BranchRefused, BranchCommitted, BranchCancelled, DecisionAsked] as const;

/**
 * Of an acknowledged commit: nothing follows from it but that its saga has ended (ADR 0022). Not of a cancel:
 * the next compensation waits for it.
 */
export const UNHURRIED: RaiseOptions = { withinMs: 50 };

/** The answers of one service. */
export class Answers {
  constructor(private readonly service: string) {}

  /** The events that it publishes. */
  types(): EventType[] {
    return ANSWERS.map((shared) => shared.by(this.service));
  }

  /** The vote that was given. */
  vote(row: Answered & Pick<BranchRow, 'reply' | 'code' | 'reason'>): NewEvent {
    const { code, reply } = row;
    return code === null
      ? BranchPrepared.by(this.service).of({ ...headOf(row), reply })
      : this.refused(row, code, row.reason ?? '');
  }

  refused(branch: Answered, code: string, reason: string): NewEvent {
    return BranchRefused.by(this.service).of({ ...headOf(branch), code, reason });
  }

  committed(branch: Answered): NewEvent {
    return BranchCommitted.by(this.service).of(headOf(branch));
  }

  /** `ran`: it had been prepared, and is undone. */
  cancelled(branch: Answered, ran: boolean): NewEvent {
    return BranchCancelled.by(this.service).of({ ...headOf(branch), ran });
  }

  /** What was decided? */
  asks(row: Answered & Pick<BranchRow, 'preparedAt' | 'createdAt'>): NewEvent {
    const heldSince = row.preparedAt ?? row.createdAt;
    return DecisionAsked.by(this.service).of({ ...headOf(row), heldSince });
  }
}

function headOf({ sagaId, coordinator, branch, branchType }: Answered): Answered {
  return { sagaId, coordinator, branch, branchType };
}
