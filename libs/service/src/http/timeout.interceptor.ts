import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { type Observable, throwError, timeout } from 'rxjs';
import { ProblemException } from './problem.js';

/**
 * Answers 503 where a handler took longer than `timeoutMs`. The handler itself is not stopped: its
 * transaction has `statement_timeout` for that, and its late result is dropped.
 */
export class TimeoutInterceptor implements NestInterceptor {
  constructor(private readonly timeoutMs: number) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    return next.handle().pipe(timeout({ first: this.timeoutMs, with: () => throwError(() => this.#late()) }));
  }

  #late(): ProblemException {
    return new ProblemException({
      status: 503,
      kind: 'timeout',
      detail:
        `No answer within ${this.timeoutMs} ms; it may still take effect: ` +
        'repeat it with the same Idempotency-Key.',
      headers: { 'Retry-After': '2' },
    });
  }
}
