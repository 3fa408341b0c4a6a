import { type ArgumentsHost, Catch, type ExceptionFilter, NotFoundException } from '@nestjs/common';
import type { Logger } from '@aura/platform';
import type { Request, Response } from 'express';
import { allowedMethods } from './allowed-methods.js';
import { ProblemException } from './problem.js';
import { problemOf } from './problem-of.js';
import { requestIdOf } from './request-id.js';

/** Answers every error of an HTTP request with a problem document, and logs those that are ours (5xx). */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    // Other transports have filters of their own: the error goes on as it came.
    if (host.getType() !== 'http') throw error;
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const problem = methodNotAllowed(error, request) ?? problemOf(error);
    if (problem.getStatus() >= 500)
      this.logger.error(
        {
          error: problem.cause ?? error,
          method: request.method,
          path: request.path,
          status: problem.getStatus(),
        },
        'a request failed',
      );
    sendProblem(http.getResponse<Response>(), problem);
  }
}

/**
 * Sends a problem, unless the answer has begun: then the connection is cut, so that nobody takes half for
 * all.
 */
export function sendProblem(response: Response, problem: ProblemException): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response
    .status(problem.getStatus())
    .set(problem.headers)
    .type('application/problem+json')
    .send(JSON.stringify({ ...problem.problem, instance: requestIdOf(response) }));
}

/** Nest says 404 to a method that a path doesn't have: with a route under another method it is a 405. */
function methodNotAllowed(error: unknown, request: Request): ProblemException | undefined {
  if (!(error instanceof NotFoundException) || request.route !== undefined) return undefined;
  const allowed = allowedMethods(request);
  if (allowed.length === 0)
    return new ProblemException({ status: 404, detail: `There is nothing at ${request.path}.` });
  return new ProblemException({
    status: 405,
    detail: `${request.path} has no ${request.method}, only ${allowed.join(', ')}.`,
    headers: { Allow: allowed.join(', ') },
  });
}
