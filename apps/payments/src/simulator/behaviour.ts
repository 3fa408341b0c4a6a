/** How the simulated provider behaves: a function of the card's token and a seed. Pure. */
import { createHash } from 'node:crypto';

export type Operation = 'authorise' | 'capture' | 'void' | 'refund' | 'look-up';

/**
 * - `slow`: done at once, answered later;
 * - `late`: done only after a while, as if it had waited in a queue; the caller hears nothing;
 * - `unanswered`: done, but the answer is lost;
 * - `lost`: the request never arrives;
 * - `twice`: the request arrives twice;
 * - `unreachable`: the connection is refused.
 */
export type Fault = 'slow' | 'late' | 'unanswered' | 'lost' | 'twice' | 'unreachable';

/** What a client may choose as its card. */
export const TOKENS = {
  'tok-ok': 'Accepted at once.',
  'tok-declined': 'Declined.',
  'tok-refund-declined': 'Accepted, but nothing can be paid back to it.',
  'tok-slow': 'Accepted, answered after half a second.',
  'tok-late': 'Every first request is executed only after nobody waits for it any more.',
  'tok-timeout-after': 'Every first request is executed, but its answer is lost.',
  'tok-timeout-before': 'Every first request is lost.',
  'tok-twice': 'Every request arrives twice.',
  'tok-flaky': 'Every first request meets a fault that the seed chooses.',
  'tok-random': 'A share of payments, chosen by the seed, is declined or meets a fault.',
} as const;

export type Token = keyof typeof TOKENS;
export const TOKEN_NAMES = Object.keys(TOKENS) as [Token, ...Token[]];

const FAULT_OF: Partial<Record<string, Fault>> = {
  'tok-slow': 'slow',
  'tok-late': 'late',
  'tok-timeout-after': 'unanswered',
  'tok-timeout-before': 'lost',
  'tok-twice': 'twice',
} satisfies Partial<Record<Token, Fault>>;

const FAULTS: readonly Fault[] = ['slow', 'late', 'unanswered', 'lost', 'twice', 'unreachable'];

/** How often a fault is met by the same operation of the same payment: then it passes. */
export const TIMES: Readonly<Record<Fault, number>> = {
  slow: Infinity,
  twice: Infinity,
  unanswered: 1,
  lost: 1,
  unreachable: 1,
  // Twice: the caller's second try waits in the queue behind the first one.
  late: 2,
};

export interface Chance {
  readonly seed: number;
  /** 0 to 1: the share of payments of `tok-random` that meet something. */
  readonly faultRate: number;
}

/** The fault that an operation on a payment meets, whoever asks and whenever. */
export function faultOf(
  chance: Chance,
  operation: Operation,
  token: string,
  reference: string,
): Fault | undefined {
  if (operation === 'look-up' && token !== 'tok-flaky') return undefined;
  const drawn = FAULTS[Math.floor(draw(chance, `${operation} which`, reference) * FAULTS.length)];
  if (token === 'tok-flaky') return operation === 'look-up' ? 'unreachable' : drawn;
  if (token !== 'tok-random') return FAULT_OF[token];
  return draw(chance, `${operation} whether`, reference) < chance.faultRate ? drawn : undefined;
}

export function declines(chance: Chance, token: string, reference: string): boolean {
  if (token === 'tok-declined') return true;
  return token === 'tok-random' && draw(chance, 'declines', reference) < chance.faultRate;
}

/** Whether the bank of a card that was captured takes nothing back. */
export function declinesRefund(chance: Chance, token: string, reference: string): boolean {
  if (token === 'tok-refund-declined') return true;
  return token === 'tok-random' && draw(chance, 'declines refund', reference) < chance.faultRate;
}

/** Outages come at a time that the seed shifts, so that replicas' restarts don't set their rhythm. */
export interface Outages {
  readonly everyMs: number;
  readonly forMs: number;
}

export function hasOutage({ seed }: Chance, { everyMs, forMs }: Outages, now: Date): boolean {
  return everyMs > 0 && (now.getTime() + (seed % everyMs)) % everyMs < forMs;
}

/** [0, 1), the same for the same seed, purpose and payment. */
function draw({ seed }: Chance, purpose: string, reference: string): number {
  return createHash('sha256').update(`${seed} ${purpose} ${reference}`).digest().readUInt32BE(0) / 2 ** 32;
}
