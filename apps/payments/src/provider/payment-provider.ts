import { TerminalError, TransientError } from '@aura/platform';

/** What a request that changes something goes with. */
export interface ProviderCall {
  /** The same for every try: the provider does it once, as long as it remembers the key. */
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

export interface AuthoriseRequest {
  /** Ours, one per payment: by it the provider finds the payment, also when it has forgotten the key. */
  readonly reference: string;
  /** The provider's name for the card. */
  readonly token: string;
  readonly amountCents: bigint;
  readonly currency: string;
  /**
   * A request that arrives later is not executed. It bounds how long "not heard of it" may still turn into
   * "held": without it, nobody could ever be sure that there is nothing to void (H16).
   */
  readonly notAfter: Date;
}

export type Authorisation =
  | { readonly held: true; readonly authorisation: string }
  | { readonly held: false; readonly code: string; readonly reason: string };

export interface RefundRequest {
  /** Ours, one per refund: by it the provider finds the refund, also when it has forgotten the key. */
  readonly reference: string;
  readonly authorisation: string;
  readonly amountCents: bigint;
  /** As of an authorise: a request that arrives later is not executed. */
  readonly notAfter: Date;
}

export type RefundOutcome =
  | { readonly refunded: true; readonly refund: string; readonly authorisation: string }
  | { readonly refunded: false; readonly code: string; readonly reason: string };

/**
 * Somebody who holds and moves money, and knows no transactions.
 *
 * Errors of every method: `ProviderRefusedError` where the provider will never do it; any other error, or
 * silence: unknown, it may have been done or may yet be.
 */
export interface PaymentProvider {
  /** Holds the amount. A decline is an answer. */
  authorise(request: AuthoriseRequest, call: ProviderCall): Promise<Authorisation>;
  /** Takes all that an authorisation holds. */
  capture(authorisation: string, call: ProviderCall): Promise<void>;
  /**
   * Gives back whatever is held under the reference; nothing held any more is a success. Refused with
   * `unknown-payment` where the provider has not heard of the reference.
   */
  void(reference: string, call: ProviderCall): Promise<void>;
  /** Gives back some or all of what was captured, never more. A decline is an answer. */
  refund(request: RefundRequest, call: ProviderCall): Promise<RefundOutcome>;
  /** How an authorise ended, whatever was done since; undefined: not heard of, so far. */
  lookUp(reference: string, signal: AbortSignal): Promise<Authorisation | undefined>;
  /** How a refund ended; undefined: not heard of, so far. */
  lookUpRefund(reference: string, signal: AbortSignal): Promise<RefundOutcome | undefined>;
}

/** Where a provider is injected. */
export const PAYMENT_PROVIDER = Symbol('payments.provider');

/** The provider did not answer: whatever was asked for may have happened, or may happen yet. */
export class ProviderUnavailableError extends TransientError {}

export type ProviderRefusal = 'unknown-payment' | 'already-captured' | 'voided' | 'declined';

/** The provider will never do it. */
export class ProviderRefusedError extends TerminalError {
  constructor(
    readonly code: ProviderRefusal,
    message: string,
  ) {
    super(message);
  }
}
