import type { Work } from '@aura/eventing';

/** One branch of one saga, as its participant gets it, in every phase the same. */
export interface Ask<I extends object = object> {
  readonly sagaId: string;
  /** The branch's name within the saga. */
  readonly branch: string;
  /** The service that started the saga. */
  readonly coordinator: string;
  /** In the participant's own revision of the contract. */
  readonly input: I;
  /** Until then every branch of the saga has to be prepared. */
  readonly deadline: Date;
}

/** A participant's answer to an ask. A refusal is an answer, not an exception. */
export type Vote =
  | { readonly prepared: true; readonly reply: object | undefined }
  | { readonly prepared: false; readonly code: string; readonly reason: string };

/**
 * "I hold, and can commit whatever happens." `reply`: what others may know of the hold, as JSON; references,
 * no personal data, at most 4 KiB.
 */
export function prepared(reply?: object): Vote {
  return { prepared: true, reply };
}

/** "I will not": `code` for programs (`sold-out`), `reason` one sentence for people. Nothing is held. */
export function refused(code: string, reason: string): Vote {
  return { prepared: false, code, reason };
}

/**
 * What a service does for a branch type. Each method runs inside the transaction that records its outcome:
 * its rows, its raised events and its vote are committed together, once. Late, repeated and overtaken asks
 * never reach it.
 *
 * Errors: one that `prepare` throws is a refusal (`failed`), after a passing fault was tried again; what it
 * wrote is undone. `commit` and `cancel` can't fail: they are tried again for ever, with back-off, and an
 * operator is told.
 */
export interface Participant<I extends object = object> {
  /** Puts aside durably what `commit` will need, or refuses. Of a compensatable: acts. */
  prepare(ask: Ask<I>, work: Work): Promise<Vote>;
  /** After a yes only, and once. Of a retriable branch: acts. */
  commit(ask: Ask<I>, work: Work): Promise<void>;
  /** Gives back what `prepare` held; of a compensatable: undoes it. After a yes only, and once. */
  cancel(ask: Ask<I>, work: Work): Promise<void>;
  /**
   * Locks, in one sorted statement, the rows that these asks are going to change, whatever their phase:
   * before any of them is called. Without it two replicas that change the same rows can deadlock (H18).
   */
  lockAll?(asks: readonly Ask<I>[], work: Work): Promise<void>;
  /**
   * Set-based forms for a hot participant: one call for all asks of a unit, in the order of their saga's ids;
   * answers in the same order. Where it throws, each ask is tried by itself by the methods above.
   */
  prepareAll?(asks: readonly Ask<I>[], work: SetWork): Promise<readonly Vote[]>;
  commitAll?(asks: readonly Ask<I>[], work: SetWork): Promise<void>;
  cancelAll?(asks: readonly Ask<I>[], work: SetWork): Promise<void>;
}

/** The work of a set of asks. Events and tasks of one of them are raised through `of`. */
export interface SetWork extends Work {
  /** For one of the set's asks: what it raises is caused by that ask alone. */
  of(ask: Ask): Work;
}

/** What somebody outside said to a call. `data` is JSON, at most 4 KiB: an authorisation's reference. */
export type Answer =
  | { readonly accepted: true; readonly data: object }
  | { readonly accepted: false; readonly code: string; readonly reason: string };

/** An ask whose call was accepted. */
export interface Accepted<I extends object = object> {
  readonly ask: Ask<I>;
  readonly answer: Answer & { readonly accepted: true };
}

/** What every call to somebody outside goes with. */
export interface OutsideCall {
  /** The same for every try of this branch, and for its look-up and release. */
  readonly idempotencyKey: string;
  /** Aborted when this process loses the branch to another one, or stops. */
  readonly signal: AbortSignal;
}

/** How somebody outside is dealt with (ms). */
export interface OutsideLimits {
  /** The longest call; what takes longer is unknown. Default 10,000. */
  readonly callTimeoutMs?: number;
  /** A call that has not arrived there after this long never will. Default 300,000. */
  readonly arrivalLimitMs?: number;
  /** How long they remember idempotency keys: no call is repeated after that. Default 86,400,000. */
  readonly keyTtlMs?: number;
}

/**
 * A participant whose prepare asks somebody outside, who knows no transactions: a payment provider. Only one
 * process at a time talks to them about a branch, and never in a transaction.
 *
 * Of an `external` branch, or of a `pivot`: that is asked until its deadline, whatever becomes of the saga;
 * its `prepare` may not refuse what was accepted, and `release` and `cancel` are never called.
 */
export interface ExternalParticipant<I extends object = object> {
  /** What is known of them; what is left out has its default. */
  readonly limits?: OutsideLimits;
  /**
   * Asks outside. Throwing, or taking longer than the branch's time limit, means "unknown": it is looked up
   * before anything else is done.
   */
  call(ask: Ask<I>, call: OutsideCall): Promise<Answer>;
  /** What became of the call; undefined: it never arrived there. Throws while nobody can say. */
  lookUp(ask: Ask<I>, call: OutsideCall): Promise<Answer | undefined>;
  /** Gives back what an accepted call holds. Tried again until it succeeds: has to be idempotent outside. */
  release(ask: Ask<I>, call: OutsideCall): Promise<void>;
  /** Takes an accepted answer into the service's own rows. May still refuse: the call is released then. */
  prepare(ask: Ask<I>, answer: Answer & { accepted: true }, work: Work): Promise<Vote>;
  commit(ask: Ask<I>, work: Work): Promise<void>;
  /** The service's own rows only: outside it is `release` that gives back. */
  cancel(ask: Ask<I>, work: Work): Promise<void>;
  /** As those of `Participant`: of the calls that were answered at the same time. */
  prepareAll?(accepted: readonly Accepted<I>[], work: SetWork): Promise<readonly Vote[]>;
  commitAll?(asks: readonly Ask<I>[], work: SetWork): Promise<void>;
  cancelAll?(asks: readonly Ask<I>[], work: SetWork): Promise<void>;
}
