import {
  bulkhead,
  BulkheadRejectedError,
  BrokenCircuitError,
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleWhen,
  retry,
  timeout,
  TimeoutStrategy,
  wrap,
  type IPolicy,
} from 'cockatiel';
import {
  ProviderRefusedError,
  ProviderUnavailableError,
  type Authorisation,
  type AuthoriseRequest,
  type PaymentProvider,
  type ProviderCall,
  type RefundOutcome,
  type RefundRequest,
} from './payment-provider.js';

export interface GuardOptions {
  /** How long a try may take. */
  readonly timeoutMs: number;
  /** Further tries after the first. Default 1. */
  readonly retries?: number;
  /** Failures in a row after which nothing is sent for a while. Default 10. */
  readonly breakAfter?: number;
  /** For so long. Default 2,000. */
  readonly breakMs?: number;
  /** Requests under way at a time. Default 128. */
  readonly atOnce?: number;
  /** How many may wait meanwhile. Default 512: all that the tasks of this service ask for at a time. */
  readonly waiting?: number;
  /** A try has failed, and another one follows in `afterMs`. In the context of the call. */
  readonly onAgain?: (afterMs: number) => void;
}

/**
 * Bounds what the provider may cost us: a time limit per try, one more try with the same idempotency key, so
 * many at a time, and a breaker that stops asking one who is away.
 * Errors: those of the port; what this process held back is a `ProviderUnavailableError` as well.
 */
export class GuardedProvider implements PaymentProvider {
  readonly #policy: IPolicy;

  constructor(
    private readonly provider: PaymentProvider,
    options: GuardOptions,
  ) {
    const { timeoutMs, retries = 1, breakAfter = 10, breakMs = 2_000, atOnce = 128, waiting = 512 } = options;
    const failing = handleWhen((error) => !(error instanceof ProviderRefusedError));
    const again = handleWhen((error) => !(error instanceof ProviderRefusedError) && !wasNotSent(error));
    const tries = retry(again, {
      maxAttempts: retries,
      backoff: new ExponentialBackoff({ initialDelay: 20, maxDelay: 200 }),
    });
    tries.onRetry(({ delay }) => options.onAgain?.(delay));
    this.#policy = wrap(
      tries,
      bulkhead(atOnce, waiting),
      circuitBreaker(failing, { halfOpenAfter: breakMs, breaker: new ConsecutiveBreaker(breakAfter) }),
      timeout(timeoutMs, TimeoutStrategy.Aggressive),
    );
  }

  authorise(request: AuthoriseRequest, call: ProviderCall): Promise<Authorisation> {
    return this.#guard(`authorise ${request.reference}`, call.signal, (signal) =>
      this.provider.authorise(request, { ...call, signal }),
    );
  }

  capture(authorisation: string, call: ProviderCall): Promise<void> {
    return this.#guard(`capture ${authorisation}`, call.signal, (signal) =>
      this.provider.capture(authorisation, { ...call, signal }),
    );
  }

  void(reference: string, call: ProviderCall): Promise<void> {
    return this.#guard(`void ${reference}`, call.signal, (signal) =>
      this.provider.void(reference, { ...call, signal }),
    );
  }

  refund(request: RefundRequest, call: ProviderCall): Promise<RefundOutcome> {
    return this.#guard(`refund ${request.reference}`, call.signal, (signal) =>
      this.provider.refund(request, { ...call, signal }),
    );
  }

  lookUp(reference: string, signal: AbortSignal): Promise<Authorisation | undefined> {
    return this.#guard(`look up ${reference}`, signal, (inner) => this.provider.lookUp(reference, inner));
  }

  lookUpRefund(reference: string, signal: AbortSignal): Promise<RefundOutcome | undefined> {
    return this.#guard(`look up refund ${reference}`, signal, (inner) =>
      this.provider.lookUpRefund(reference, inner),
    );
  }

  async #guard<T>(what: string, signal: AbortSignal, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await this.#policy.execute((context) => send(context.signal), signal);
    } catch (cause) {
      if (cause instanceof ProviderRefusedError) throw cause;
      throw new ProviderUnavailableError(`${what}: the payment provider did not answer`, { cause });
    }
  }
}

/** What this process held back itself: asking again at once would only be held back again. */
function wasNotSent(error: unknown): boolean {
  return error instanceof BrokenCircuitError || error instanceof BulkheadRejectedError;
}
