import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
} from '@nestjs/common';
import type { Request } from 'express';
import { accepted, bearerOf, unauthenticated } from '../auth/service-token.guard.js';
import { ServiceTokens } from '../auth/service-tokens.js';
import type { Config } from '../config/config.js';
import { ProblemException } from '../http/problem.js';
import { CONFIG } from '../tokens.js';

const operators = new WeakMap<Request, string>();

/**
 * Lets in only operators, with `Authorization: Bearer <token>` whose issuer is `operator:<name>`. Without a
 * key, or switched off, everything behind it is a 403 that says which setting turns it on.
 */
@Injectable()
export class OperatorGuard implements CanActivate {
  constructor(
    private readonly tokens: ServiceTokens,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { name, admin } = this.config;
    if (!admin) throw off(`${name} does not serve its admin API: AURA_ADMIN is false.`);
    if (!this.tokens.configured)
      throw off(
        `${name} does not serve its admin API, because it has no key to check tokens with: ` +
          'set AURA_SERVICE_TOKEN_SECRET.',
      );
    const request = context.switchToHttp().getRequest<Request>();
    const token = bearerOf(request);
    if (token === undefined)
      throw unauthenticated("This is for operators: send an operator's token, as `npm run aura` does.");
    operators.set(request, await accepted(this.tokens.operatorOf(token)));
    return true;
  }
}

/** A handler's parameter: the operator's name, behind `OperatorGuard`. */
export const Operator = createParamDecorator((_: undefined, context: ExecutionContext): string =>
  operatorOf(context.switchToHttp().getRequest()),
);

/** Behind `OperatorGuard` only. */
export function operatorOf(request: Request): string {
  return operators.get(request) ?? 'nobody';
}

function off(detail: string): ProblemException {
  return new ProblemException({ status: 403, kind: 'admin-off', detail });
}
