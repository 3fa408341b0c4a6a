import { TerminalError, TransientError } from '@aura/platform';
import type { ServiceTokens } from '@aura/service';
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

/** Photos are at most 10 MiB at the gateway's door; cleaning may make one a little larger. */
const MAX_BYTES = 16 * 1024 * 1024;

/** The gateway does not have this photo: asking again will not help. */
export class PhotoNotFoundError extends TerminalError {}

/**
 * Fetches photos from the gateway over HTTP with a service token.
 *
 * Three tries within 10 s each; after five failures in a row the breaker refuses at once for 10 s (the
 * task's own retries go on). Errors: `PhotoNotFoundError` for a 404 or 410, `TransientError` for everything
 * that may pass.
 */
export class PhotoSource {
  readonly #policy: IPolicy;

  constructor(
    private readonly gatewayUrl: string,
    private readonly tokens: ServiceTokens,
  ) {
    const passing = handleWhen((error) => !(error instanceof PhotoNotFoundError));
    this.#policy = wrap(
      retry(passing, {
        maxAttempts: 2,
        backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 2_000 }),
      }),
      circuitBreaker(passing, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
      timeout(10_000, TimeoutStrategy.Aggressive),
    );
  }

  async fetch(photoId: string, signal: AbortSignal): Promise<Buffer> {
    try {
      return await this.#policy.execute((context) => this.#get(photoId, context.signal), signal);
    } catch (error) {
      if (error instanceof PhotoNotFoundError) throw error;
      throw new TransientError(`photo ${photoId} could not be fetched from the gateway`, { cause: error });
    }
  }

  async #get(photoId: string, signal: AbortSignal): Promise<Buffer> {
    const response = await fetch(new URL(`/photos/${photoId}/bytes`, this.gatewayUrl), {
      headers: { authorization: `Bearer ${await this.tokens.serviceTokenFor('gateway')}` },
      signal,
    });
    if (response.status === 404 || response.status === 410)
      throw new PhotoNotFoundError(`the gateway has no photo ${photoId}`);
    if (!response.ok)
      throw new TransientError(`the gateway answered ${response.status} for photo ${photoId}`);
    const announced = Number(response.headers.get('content-length') ?? 0);
    if (announced > MAX_BYTES)
      throw new TerminalError(`photo ${photoId} has ${announced} bytes: more than ${MAX_BYTES}`);
    return Buffer.from(await response.arrayBuffer());
  }
}
