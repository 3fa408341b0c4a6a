import { AuraError, kindOf } from '@aura/platform';
import { HttpException } from '@nestjs/common';
import { ProblemException } from './problem.js';

/** What a client is told to wait after a passing fault, in seconds. */
const RETRY_AFTER_S = '2';

/**
 * The answer to an error, decided by its class, never by its text:
 *
 * - P1 a problem, or one of Nest's HTTP exceptions, is answered as it is;
 * - P2 transient: 503 with Retry-After; conflict: 409; terminal: 422; anything else: 500;
 * - P3 text reaches the client only where its author meant a client to read it: problems, HTTP exceptions,
 *   and Aura's own conflict and terminal errors. The message of a driver, a bug or an invariant stays in
 *   the log.
 */
export function problemOf(error: unknown): ProblemException {
  if (error instanceof ProblemException) return error;
  if (error instanceof HttpException) return ofHttpException(error);
  const kind = kindOf(error);
  const detail = error instanceof AuraError ? error.message : undefined;
  if (kind === 'transient')
    return new ProblemException({
      status: 503,
      kind: 'temporarily-unavailable',
      detail: 'This is not possible at the moment: try again in a few seconds.',
      headers: { 'Retry-After': RETRY_AFTER_S },
      cause: error,
    });
  if (kind === 'conflict')
    return new ProblemException({
      status: 409,
      kind: 'conflict',
      detail: detail ?? 'Somebody else changed this at the same time: read it again and decide again.',
      cause: error,
    });
  if (kind === 'terminal')
    return new ProblemException({
      status: 422,
      kind: 'refused',
      detail: detail ?? 'This request can never succeed as it is.',
      cause: error,
    });
  return new ProblemException({
    status: 500,
    kind: 'internal',
    detail: 'Something is wrong on our side; the log has it under the id in "instance".',
    cause: error,
  });
}

function ofHttpException(error: HttpException): ProblemException {
  const status = error.getStatus();
  const body = error.getResponse();
  const message = typeof body === 'object' && 'message' in body ? body.message : body;
  const detail = Array.isArray(message)
    ? message.join('; ')
    : typeof message === 'string'
      ? message
      : error.message;
  return new ProblemException({ status, detail, cause: error });
}
