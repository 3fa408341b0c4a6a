import type { EventEnvelope, EventType } from '@aura/contracts';
import { traceHeaders } from '@aura/platform';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  trace,
  TraceFlags,
  type Context,
  type ContextManager,
  type Span,
  type SpanContext,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api';
import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import type { EachHandler, SetHandler } from './handlers.js';
import { makeCall } from './handling.js';

/** What was started: its name, the trace it is in, and the traces that it links to. */
const started: { name: string; traceId: string | undefined; links: string[] }[] = [];
const spanContext = (traceId: string): SpanContext => ({
  traceId,
  spanId: '00f067aa0ba902b7',
  traceFlags: TraceFlags.SAMPLED,
});

const startSpan = (name: string, options?: SpanOptions, parent = context.active()): Span => {
  const traceId = trace.getSpanContext(parent)?.traceId;
  started.push({ name, traceId, links: (options?.links ?? []).map((link) => link.context.traceId) });
  return trace.wrapSpanContext(spanContext(traceId ?? 'f'.repeat(32)));
};

const startActiveSpan = (name: string, options: SpanOptions, fn: (span: Span) => unknown): unknown => {
  const span = startSpan(name, options);
  return context.with(trace.setSpan(context.active(), span), () => fn(span));
};

/** The least of an SDK: contexts that follow promises, W3C headers, spans that are noted. */
beforeAll(() => {
  const storage = new AsyncLocalStorage<Context>();
  context.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    disable() {
      storage.disable();
      return this;
    },
    with: (active, fn, thisArg, ...args) => storage.run(active, () => fn.call(thisArg as never, ...args)),
  } as ContextManager);
  propagation.setGlobalPropagator({
    fields: () => ['traceparent'],
    inject(active, carrier, setter) {
      const span = trace.getSpanContext(active);
      if (span) setter.set(carrier, 'traceparent', `00-${span.traceId}-${span.spanId}-01`);
    },
    extract(root, carrier, getter) {
      const [, traceId] = String(getter.get(carrier, 'traceparent') ?? '').split('-');
      return traceId ? trace.setSpanContext(root, spanContext(traceId)) : root;
    },
  });
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan }) as unknown as Tracer });
});
afterAll(() => {
  context.disable();
  propagation.disable();
  trace.disable();
});
beforeEach(() => void started.splice(0));

const UNIT = 'b'.repeat(32);
const type = { name: 'spec.Counted' } as EventType;
const eventOf = (traceId: string): EventEnvelope =>
  ({
    id: traceId,
    type: 'spec.Counted',
    headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
  }) as unknown as EventEnvelope;
const unit = { work: () => ({}), assertHealthy: () => Promise.resolve() } as unknown as UnitOfWork;
const batch = (): Span => trace.wrapSpanContext(spanContext(UNIT));

it('handles each event in the trace of its cause, and links to the unit', async () => {
  let inside: string | undefined;
  const handler: EachHandler = {
    mode: 'each',
    type,
    name: 'H.each',
    async handle() {
      await Promise.resolve();
      inside = traceHeaders().traceparent;
    },
  };
  await makeCall(unit, { handler, event: eventOf('1'.repeat(32)) }, 'shop', batch());
  expect(inside).toContain('1'.repeat(32));
  expect(started).toEqual([{ name: 'aura.handle spec.Counted', traceId: '1'.repeat(32), links: [UNIT] }]);
});

it('puts a set into the unit’s trace with links to its events, and leaves no span active', async () => {
  let inside: string | undefined = 'not called';
  const handler: SetHandler = {
    mode: 'set',
    type,
    name: 'H.set',
    handle() {
      inside = traceHeaders().traceparent;
      return Promise.resolve();
    },
  };
  const events = [eventOf('1'.repeat(32)), eventOf('2'.repeat(32))];
  await makeCall(unit, { handler, events }, 'shop', batch());
  expect(inside).toBeUndefined();
  expect(started).toEqual([
    { name: 'aura.handle spec.Counted', traceId: UNIT, links: ['1'.repeat(32), '2'.repeat(32)] },
  ]);
});
