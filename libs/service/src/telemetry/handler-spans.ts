import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import {
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { getRPCMetadata, RPCType } from '@opentelemetry/core';
import type { Request } from 'express';
import { finalize, Observable, tap } from 'rxjs';
import { problemOf } from '../http/problem-of.js';

const tracer = trace.getTracer('@aura/service');

/**
 * One span per HTTP handler, `PhotosController.upload`. It is a child of the request's span where the HTTP
 * instrumentation is loaded (whose span gets its route from here), else it is the request's server span
 * itself, under the caller's `traceparent`. (@opentelemetry/instrumentation-nestjs-core 0.71 does nothing
 * with Nest 12.)
 */
export class HandlerSpans implements NestInterceptor {
  constructor(private readonly service: string) {}

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (execution.getType() !== 'http') return next.handle();
    const request = execution.switchToHttp().getRequest<Request>();
    const route = routeOf(request);
    const instrumented = trace.getActiveSpan() !== undefined;
    const rpc = getRPCMetadata(context.active());
    if (rpc?.type === RPCType.HTTP && route) rpc.route = route;
    const parent = instrumented ? context.active() : propagation.extract(context.active(), request.headers);
    const span = tracer.startSpan(
      `${execution.getClass().name}.${execution.getHandler().name}`,
      {
        kind: instrumented ? SpanKind.INTERNAL : SpanKind.SERVER,
        attributes: {
          'aura.service': this.service,
          'http.request.method': request.method,
          'http.route': route,
        },
      },
      parent,
    );
    return traced(next, span, trace.setSpan(parent, span));
  }
}

/**
 * Runs the handler inside `active`; a handler is called on subscription, so that is what must happen in the
 * context.
 */
function traced(next: CallHandler, span: Span, active: Context): Observable<unknown> {
  const failed = (error: unknown): void => {
    if (problemOf(error).getStatus() < 500) return;
    span.recordException(error instanceof Error ? error : String(error));
    span.setStatus({ code: SpanStatusCode.ERROR });
  };
  return new Observable((subscriber) =>
    context.with(active, () =>
      next
        .handle()
        .pipe(
          tap({ error: failed }),
          finalize(() => span.end()),
        )
        .subscribe(subscriber),
    ),
  );
}

function routeOf(request: Request): string | undefined {
  const route: unknown = request.route;
  return typeof route === 'object' && route !== null && 'path' in route ? String(route.path) : undefined;
}
