import { createHash } from 'node:crypto';
import {
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  trace,
  TraceFlags,
  type Tracer,
} from '@opentelemetry/api';
import { NoopSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { samplerOf } from './sampling.js';

/** Ids that are spread evenly and the same in every run. */
const traceId = (n: number): string => createHash('sha256').update(`trace ${n}`).digest('hex').slice(0, 32);

function tracerOf(ratio: number): Tracer {
  let made = 0;
  const idGenerator = {
    generateTraceId: () => traceId(made++),
    generateSpanId: () => traceId(made).slice(0, 16),
  };
  const sampler = samplerOf(ratio);
  return new TracerProvider({ sampler, idGenerator, spanProcessors: [new NoopSpanProcessor()] }).getTracer(
    't',
  );
}

/** How many of `n` new traces are recorded. */
function recordedOf(n: number, ratio: number): number {
  const tracer = tracerOf(ratio);
  return Array.from({ length: n }, () => tracer.startSpan('root')).filter((span) => span.isRecording())
    .length;
}

function childOf(parent: Partial<SpanContext>, ratio: number): Span {
  const context = { traceId: traceId(1), spanId: traceId(1).slice(0, 16), traceFlags: 0, ...parent };
  return tracerOf(ratio).startSpan('child', {}, trace.setSpanContext(ROOT_CONTEXT, context));
}

describe('sampling', () => {
  it.each([
    [0, 0, 0],
    [0.1, 900, 1_100],
    [0.5, 4_800, 5_200],
    [1, 10_000, 10_000],
  ])('records %d of the traces that begin here', (ratio, least, most) => {
    const recorded = recordedOf(10_000, ratio);
    expect(recorded).toBeGreaterThanOrEqual(least);
    expect(recorded).toBeLessThanOrEqual(most);
  });

  it('goes on with what the caller recorded, and with nothing else, whatever the ratio here', () => {
    for (const isRemote of [true, false])
      for (const ratio of [0, 0.5, 1]) {
        expect(childOf({ isRemote, traceFlags: TraceFlags.SAMPLED }, ratio).isRecording()).toBe(true);
        expect(childOf({ isRemote, traceFlags: TraceFlags.NONE }, ratio).isRecording()).toBe(false);
      }
  });

  it('gives ids to what is not recorded, for the log and for those who are called', () => {
    const { traceFlags, ...ids } = tracerOf(0).startSpan('root').spanContext();
    expect(isSpanContextValid({ traceFlags, ...ids })).toBe(true);
    expect(traceFlags).toBe(TraceFlags.NONE);
  });
});
