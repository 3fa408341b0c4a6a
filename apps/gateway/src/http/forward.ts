import { pipeline } from 'node:stream/promises';
import { codeOf, traceHeaders } from '@aura/platform';
import { CONFIG, ProblemException, type Config } from '@aura/service';
import { Inject, Injectable } from '@nestjs/common';
import { bulkhead, BulkheadRejectedError, type BulkheadPolicy } from 'cockatiel';
import type { Request, Response } from 'express';
import { headersToClient, headersToOwner, targetOf, type Owner } from '../domain/forwarding.js';
import type { settings } from '../settings.js';

/** So many requests to one service at a time; one that hangs must not take the gateway with it. */
const MOST_AT_ONCE = 256;
/** There was no connection: the service has heard nothing of the request. */
const NOT_REACHED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const RETRY_SOON = { 'Retry-After': '2' };

/**
 * Passes requests on to the service that owns their route, and its answer back as it is: status, body,
 * problem documents, `Location`, `Retry-After`. The trace goes on, and so does the request's id.
 *
 * Nothing is repeated here: only the client knows whether it sends the same `Idempotency-Key` again.
 * Errors, as problems: 503 where the service's address was not given, where nobody listens there, or where
 * too many wait for it already (none of these was sent); 502 where it broke off and 504 where it took longer
 * than `forwardTimeoutMs` (these may have taken effect).
 */
@Injectable()
export class Forward {
  readonly #gates = new Map<Owner, BulkheadPolicy>();

  constructor(@Inject(CONFIG) private readonly config: Config<typeof settings>) {}

  async to(owner: Owner, request: Request, response: Response): Promise<void> {
    const target = this.#targetOf(owner, request);
    const gate = this.#gates.get(owner) ?? bulkhead(MOST_AT_ONCE);
    this.#gates.set(owner, gate);
    const timer = AbortSignal.timeout(this.config.forwardTimeoutMs);
    try {
      await gate.execute(() => exchange(target, request, response, timer));
    } catch (error) {
      throw problemOf(owner, error, timer.aborted);
    }
  }

  #targetOf(owner: Owner, { path, originalUrl }: Request): string {
    const url = this.config[`${owner}Url`];
    if (url === undefined)
      throw new ProblemException({
        status: 503,
        kind: 'service-not-configured',
        detail: `This gateway was not told where ${owner} is: set AURA_${owner.toUpperCase()}_URL.`,
      });
    const query = originalUrl.indexOf('?');
    const target = targetOf(url, path, query < 0 ? '' : originalUrl.slice(query));
    if (target === undefined)
      throw new ProblemException({ status: 404, detail: `There is nothing at ${path}.` });
    return target;
  }
}

async function exchange(
  target: string,
  request: Request,
  response: Response,
  timer: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const id = response.getHeader('X-Request-Id');
  const trace = traceHeaders();
  const body: unknown = request.body;
  const answer = await fetch(target, {
    method: request.method,
    headers: {
      ...headersToOwner(request.headers),
      ...(typeof id === 'string' ? { 'x-request-id': id } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'manual',
    signal: AbortSignal.any([timer, gone.signal]),
  });
  // Node's own way: Express would add a charset.
  response.status(answer.status).setHeaders(new Map(Object.entries(headersToClient(answer.headers))));
  // Where to look for it: https://www.w3.org/TR/trace-context-2/#traceresponse-header
  if (trace.traceparent) response.setHeader('traceresponse', trace.traceparent);
  if (answer.body) await pipeline(answer.body as AsyncIterable<Uint8Array>, response);
  else response.end();
}

function problemOf(owner: Owner, error: unknown, late: boolean): ProblemException {
  if (error instanceof BulkheadRejectedError)
    return problem(503, 'busy', `${MOST_AT_ONCE} requests wait for ${owner} already; this one was not sent.`);
  const again = 'it may still have taken effect: repeat it with the same Idempotency-Key';
  if (late) return problem(504, 'timeout', `${owner} did not answer in time; ${again}.`, error);
  if (NOT_REACHED.has(codeOf(error) ?? ''))
    return problem(
      503,
      'service-away',
      `${owner} is not there at the moment; this was not sent to it.`,
      error,
    );
  return problem(502, 'service-broke-off', `${owner} broke off before it had answered; ${again}.`, error);
}

function problem(status: number, kind: string, detail: string, cause?: unknown): ProblemException {
  return new ProblemException({ status, kind, detail: sentence(detail), headers: RETRY_SOON, cause });
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
