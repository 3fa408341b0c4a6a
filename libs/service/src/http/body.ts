import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';
import { ProblemException } from './problem.js';

/**
 * Where `@ApiConsumes` of @nestjs/swagger keeps its list: one decorator for the documentation and the
 * check.
 */
const CONSUMES = 'swagger/apiConsumes';
const DEFAULT_TYPES = ['application/json'];

/**
 * Turns what the JSON parser could not read into a problem, 400, 413 or 415; mounted right after the
 * parser.
 */
export function bodyProblems(limitBytes: number) {
  // Express knows error handlers by their four parameters.
  return (error: unknown, _request: Request, _response: Response, next: NextFunction): void => {
    next(bodyProblem(error, limitBytes));
  };
}

/** body-parser marks its errors with a `type`: https://github.com/expressjs/body-parser#errors */
function bodyProblem(error: unknown, limitBytes: number): unknown {
  const { type } = error as { type?: unknown };
  switch (type) {
    case 'entity.parse.failed':
      return new ProblemException({ status: 400, detail: 'The body is not valid JSON.', cause: error });
    case 'entity.too.large':
      return new ProblemException({
        status: 413,
        detail: `The body is larger than ${limitBytes} bytes.`,
        cause: error,
      });
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new ProblemException({
        status: 415,
        detail: 'The body has an encoding or a charset that is not understood: send UTF-8, plain or gzip.',
        cause: error,
      });
    case 'request.aborted':
    case 'request.size.invalid':
    case 'encoding.failed':
      return new ProblemException({ status: 400, detail: 'The body did not arrive whole.', cause: error });
    default:
      return error;
  }
}

/**
 * Refuses a body of a type that the route doesn't take (415), before anything reads it. A route takes JSON,
 * or what its `@ApiConsumes(...)` says.
 */
export class BodyTypeGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const request = context.switchToHttp().getRequest<Request>();
    const types =
      this.reflector.getAllAndOverride<string[] | undefined>(CONSUMES, [
        context.getHandler(),
        context.getClass(),
      ]) ?? DEFAULT_TYPES;
    const hasBody =
      request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length']) > 0;
    if (!hasBody || request.is(types)) return true;
    throw new ProblemException({
      status: 415,
      detail: `The body must be ${types.join(' or ')}.`,
      headers: { Accept: types.join(', ') },
    });
  }
}
