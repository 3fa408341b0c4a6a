import { isSpanContextValid, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { afterEach, expect, it } from 'vitest';
import { startTelemetry, stopTelemetry, type TelemetryOptions } from './sdk.js';

afterEach(() => stopTelemetry());

const somewhere = { spanProcessors: [new SimpleSpanProcessor({ exporter: new InMemorySpanExporter() })] };

/** Whether what begins here is recorded; its ids are there in any case. */
function isRecorded(options: Partial<TelemetryOptions>): boolean {
  startTelemetry({ serviceName: 'shop', ...options });
  const span = trace.getTracer('spec').startSpan('begun here');
  expect(isSpanContextValid(span.spanContext())).toBe(true);
  span.end();
  return span.isRecording() || (span.spanContext().traceFlags & 1) === 1;
}

it('records nothing that is sent nowhere', () => {
  expect(isRecorded({})).toBe(false);
});

it('records all of it where it is sent somewhere', () => {
  expect(isRecorded(somewhere)).toBe(true);
});

it('records it without anywhere to send it where it is told to: others may send their part', () => {
  expect(isRecorded({ traceSampleRatio: 1 })).toBe(true);
});

it('records none of it where it is told so', () => {
  expect(isRecorded({ ...somewhere, traceSampleRatio: 0 })).toBe(false);
});
