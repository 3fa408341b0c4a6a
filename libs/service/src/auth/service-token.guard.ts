import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { ProblemException } from '../http/problem.js';
import { ServiceTokens, TokenRefused } from './service-tokens.js';

const callers = new WeakMap<Request, string>();

/**
 * Lets in only other services: `@UseGuards(ServiceTokenGuard)`, with `Authorization: Bearer <token>`.
 * Otherwise a 401.
 */
@Injectable()
export class ServiceTokenGuard implements CanActivate {
  constructor(private readonly tokens: ServiceTokens) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const token = bearerOf(request);
    if (token === undefined)
      throw unauthenticated('This is for services: send a token as "Authorization: Bearer …".');
    callers.set(request, await accepted(this.tokens.callerOf(token)));
    return true;
  }
}

/** A handler's parameter: the name of the service that calls, behind `ServiceTokenGuard`. */
export const Caller = createParamDecorator((_: undefined, context: ExecutionContext): string | undefined =>
  callers.get(context.switchToHttp().getRequest<Request>()),
);

/** The token that a request carries; undefined where it has none. */
export function bearerOf(request: Request): string | undefined {
  return /^Bearer ([^\s]+)$/i.exec(request.get('Authorization') ?? '')?.[1];
}

/** Who made a token; a 401 with the reason where it is refused. */
export async function accepted(who: Promise<string>): Promise<string> {
  try {
    return await who;
  } catch (error) {
    if (error instanceof TokenRefused) throw unauthenticated(error.message);
    throw error;
  }
}

export function unauthenticated(detail: string): ProblemException {
  return new ProblemException({
    status: 401,
    kind: 'unauthenticated',
    detail,
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}
