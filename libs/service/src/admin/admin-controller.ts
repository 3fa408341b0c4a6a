import { kindOf, type Logger } from '@aura/platform';
import {
  applyDecorators,
  type CallHandler,
  Controller,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Request } from 'express';
import { map, type Observable, tap } from 'rxjs';
import { LOGGER } from '../tokens.js';
import { OperatorGuard, operatorOf } from './operator.guard.js';

/**
 * A controller of the admin API, below `/admin/v1`: for operators only, not in the OpenAPI document,
 * 64-bit numbers as text, every change in the log with who asked for it and what came of it.
 */
export function AdminController(path: string): ClassDecorator {
  return applyDecorators(
    ApiExcludeController(),
    Controller(path === '' ? 'admin/v1' : `admin/v1/${path}`),
    UseGuards(OperatorGuard),
    UseInterceptors(ChangeLog, PlainJson),
  );
}

/** Writes down who changed what: selections, ids and the reason; an answer's numbers, never a payload. */
@Injectable()
export class ChangeLog implements NestInterceptor {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Request>();
    if (request.method !== 'POST') return next.handle();
    const fields = {
      operation: request.path.replace('/admin/v1/', ''),
      by: operatorOf(request),
      asked: request.body as unknown,
    };
    return next.handle().pipe(
      tap({
        next: () => this.logger.info(fields, 'an operator asked for a change'),
        error: (error: unknown) =>
          this.logger.warn({ ...fields, error, kind: kindOf(error) }, "an operator's change was refused"),
      }),
    );
  }
}

/** JSON has no 64-bit numbers: they go as text. */
@Injectable()
class PlainJson implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map(plain));
  }
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}
