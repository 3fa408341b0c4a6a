/**
 * Pure. When an outbox that is not emptied becomes an alarm, and when it takes no new work any more.
 *
 * G1 the budget is in bytes and in age; what has used more of its own counts;
 * G2 at 80 % of it there is an alarm, at 100 % new work is refused; each ends 10 points lower, so that
 *    neither flickers.
 */

/** What may wait in the outbox at most. */
export interface BudgetLimits {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** What waits. Rows and bytes are estimates (see budget.ts). */
export interface Waiting {
  readonly rows: number;
  readonly bytes: number;
  /** Of the oldest; 0 where nothing waits. */
  readonly ageMs: number;
}

/** 'full': new work is refused. */
export type BudgetState = 'open' | 'alarm' | 'full';

const ALARM = 0.8;
const FULL = 1;
const SLACK = 0.1;

/** G1. The share that is used: 1 is all of it. */
export function shareOf({ bytes, ageMs }: Waiting, { maxBytes, maxAgeMs }: BudgetLimits): number {
  return Math.max(bytes / maxBytes, ageMs / maxAgeMs);
}

/** G2. */
export function nextState(before: BudgetState, share: number): BudgetState {
  if (share >= FULL - (before === 'full' ? SLACK : 0)) return 'full';
  return share >= ALARM - (before === 'open' ? 0 : SLACK) ? 'alarm' : 'open';
}
