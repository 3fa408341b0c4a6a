import { TransientError } from '@aura/platform';
import { ProblemException } from '@aura/service';
import {
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
import { z } from 'zod';

export interface BasketLine {
  readonly sku: string;
  readonly size: string;
  readonly quantity: number;
}

const QuoteAnswer = z.object({
  currency: z.string(),
  lines: z
    .array(
      z.object({
        sku: z.string(),
        size: z.string(),
        quantity: z.int(),
        name: z.string(),
        unitPriceCents: z.int(),
        priceCents: z.int(),
      }),
    )
    .max(20),
  totalCents: z.int(),
});
export type Quote = z.output<typeof QuoteAnswer>;

/**
 * Asks inventory what a basket costs: two tries of at most 2 s; after five failures in a row the breaker
 * refuses at once for 5 s. Errors: inventory's own refusal as a `ProblemException` (an unknown garment),
 * `TransientError` for everything that may pass.
 */
export class InventoryPrices {
  readonly #policy: IPolicy;

  constructor(private readonly inventoryUrl: string) {
    const passing = handleWhen((error) => !(error instanceof ProblemException));
    this.#policy = wrap(
      retry(passing, { maxAttempts: 1, backoff: new ExponentialBackoff({ initialDelay: 50 }) }),
      circuitBreaker(passing, { halfOpenAfter: 5_000, breaker: new ConsecutiveBreaker(5) }),
      timeout(2_000, TimeoutStrategy.Aggressive),
    );
  }

  async quote(items: readonly BasketLine[]): Promise<Quote> {
    try {
      return await this.#policy.execute(({ signal }) => this.#ask(items, signal));
    } catch (error) {
      if (error instanceof ProblemException) throw error;
      throw new TransientError('inventory does not say what the basket costs', { cause: error });
    }
  }

  async #ask(items: readonly BasketLine[], signal: AbortSignal): Promise<Quote> {
    const response = await fetch(new URL('/quotes', this.inventoryUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ items }),
      signal,
    });
    const answer: unknown = await response.json();
    if (response.ok) return QuoteAnswer.parse(answer);
    if (response.status >= 500) throw new TransientError(`inventory answered ${response.status}`);
    const { detail = 'inventory does not take this basket' } = answer as { detail?: string };
    throw new ProblemException({ status: 422, kind: 'basket', detail });
  }
}
