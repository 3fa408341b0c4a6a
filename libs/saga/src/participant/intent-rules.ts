/**
 * Pure: what is done next about a call to somebody outside, who knows no transactions.
 *
 * X1 a call is noted before it is made; once noted it may have happened, whatever became of its process;
 * X2 nothing is given back, and nothing ends, before the call's outcome is known, or can't come any more: a
 *    void must not overtake its authorisation (H16);
 * X3 a call is repeated only with the same key, while it is still remembered there, and before the deadline;
 *    after that it is only looked up;
 * X4 once the saga wants it to stop, no call is made.
 */
import type { BranchRow } from './branch-row.js';

export interface IntentLimits {
  /** A call that has not arrived there after this long never will (ms). */
  readonly arrivalLimitMs: number;
  /** How long they remember keys (ms). */
  readonly keyTtlMs: number;
}

export type Intent = Pick<BranchRow, 'state' | 'createdAt' | 'calledAt' | 'deadline'>;

/** `wait`: look it up again later. `over`: nothing has happened there, and never will. */
export type NextStep = 'call' | 'look-up' | 'wait' | 'over';

/** `found`: whether it was looked up just now, without an answer. */
export function nextStep(
  intent: Intent,
  found: 'not-asked' | 'nothing',
  now: Date,
  limits: IntentLimits,
): NextStep {
  const { calledAt } = intent;
  if (calledAt === null) return mayCall(intent, now, limits) ? 'call' : 'over';
  if (found === 'not-asked') return 'look-up'; // X1
  if (mayCall(intent, now, limits)) return 'call';
  return now.getTime() - calledAt.getTime() > limits.arrivalLimitMs ? 'over' : 'wait'; // X2
}

/** X3, X4. */
function mayCall({ state, createdAt, deadline }: Intent, now: Date, { keyTtlMs }: IntentLimits): boolean {
  const isRemembered = now.getTime() - createdAt.getTime() < keyTtlMs;
  return state === 'CALLING' && isRemembered && deadline !== null && now <= deadline;
}
