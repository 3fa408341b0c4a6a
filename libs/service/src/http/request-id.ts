import { randomUUID } from 'node:crypto';
import type { Logger } from '@aura/platform';
import type { NextFunction, Request, Response } from 'express';
import { inScope } from '../logging/scope.js';

const HEADER = 'X-Request-Id';
/** What we take over from a caller: also a valid URI reference, so that it can be a problem's `instance`. */
const ACCEPTABLE = /^[A-Za-z0-9._~-]{1,128}$/;

/** The id of the request that this response answers. */
export function requestIdOf(response: Response): string | undefined {
  const id: unknown = response.getHeader(HEADER);
  return typeof id === 'string' ? id : undefined;
}

/**
 * Gives each request an id (the caller's, where it sent a usable one), answers with it, and runs the
 * request in its scope.
 */
export function requestId(logger: Logger) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const given = request.get(HEADER);
    const id = given !== undefined && ACCEPTABLE.test(given) ? given : randomUUID();
    response.setHeader(HEADER, id);
    inScope({ logger, requestId: id }, next);
  };
}

/**
 * One line per answered request: method, path without its query, status, time. Probes and scrapes are at
 * level debug.
 */
export function accessLog(logger: Logger) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const start = performance.now();
    const { method, path } = request;
    response.once('close', () => {
      const quiet = path.startsWith('/health/') || path === '/metrics';
      const fields = {
        method,
        path,
        status: response.statusCode,
        took_ms: Math.round(performance.now() - start),
        ...(response.writableFinished ? {} : { aborted: true }),
      };
      logger[quiet ? 'debug' : 'info'](fields, 'request');
    });
    next();
  };
}
