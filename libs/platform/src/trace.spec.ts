import { ROOT_CONTEXT, trace, TraceFlags, type Context, type Span, type Tracer } from '@opentelemetry/api';
import { expect, it } from 'vitest';
import { startUnder } from './trace.js';

const PLACE = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) };
const MADE = trace.wrapSpanContext({ ...PLACE, spanId: '3'.repeat(16), traceFlags: TraceFlags.SAMPLED });
const under = (traceFlags: TraceFlags): Context =>
  trace.setSpanContext(ROOT_CONTEXT, { ...PLACE, traceFlags });

/** What a service with an SDK would get, and whether its attributes were asked for. */
function started(parent: Context): { readonly span: Span; readonly asked: boolean } {
  let asked = false;
  const tracer = { startSpan: () => MADE } as unknown as Tracer;
  const span = startUnder(tracer, 'a step', parent, () => {
    asked = true;
    return {};
  });
  return { span, asked };
}

it('makes a span where its parent is recorded, and where there is none', () => {
  expect(started(under(TraceFlags.SAMPLED))).toEqual({ span: MADE, asked: true });
  expect(started(ROOT_CONTEXT)).toEqual({ span: MADE, asked: true });
});

it('makes none where its parent is not recorded, and keeps its place', () => {
  const { span, asked } = started(under(TraceFlags.NONE));
  expect(asked).toBe(false);
  expect(span.isRecording()).toBe(false);
  expect(span.spanContext()).toEqual({ ...PLACE, traceFlags: TraceFlags.NONE });
});
