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
    const token = /^Bearer ([^\s]+)$/i.exec(request.get('Authorization') ?? '')?.[1];
    if (token === undefined)
      throw unauthenticated('This is for services: send a token as "Authorization: Bearer …".');
    try {
      callers.set(request, await this.tokens.callerOf(token));
      return true;
    } catch (error) {
      if (error instanceof TokenRefused) throw unauthenticated(error.message);
      throw error;
    }
  }
}

/** A handler's parameter: the name of the service that calls, behind `ServiceTokenGuard`. */
export const Caller = createParamDecorator((_: undefined, context: ExecutionContext): string | undefined =>
  callers.get(context.switchToHttp().getRequest<Request>()),
);

function unauthenticated(detail: string): ProblemException {
  return new ProblemException({
    status: 401,
    kind: 'unauthenticated',
    detail,
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}
