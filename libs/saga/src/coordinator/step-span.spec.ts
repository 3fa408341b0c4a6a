import { traceHeaders } from '@aura/platform';
import { ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withTracing } from '../../test/tracing.js';
import { recordedIn } from '../participant/asked.js';
import { inTraceOf } from './step-span.js';
import type { KnownSaga } from './store.js';

const STARTED = { traceparent: '00-11111111111111111111111111111111-1111111111111111-00' };
const SAID = { traceparent: '00-11111111111111111111111111111111-2222222222222222-01' };
const saga = { id: 's', type: 'order', trace: STARTED as Record<string, string> } as KnownSaga;

let end: () => void;
beforeAll(() => {
  end = withTracing();
});
afterAll(() => end());

const raisedIn = (heard: Record<string, string> | undefined): object[] => {
  const seen: object[] = [];
  inTraceOf(saga, heard, [], true, () => seen.push(traceHeaders()));
  return seen;
};

it('goes on where it was said, and where that is not recorded, in the trace of the start', () => {
  expect(raisedIn(SAID)).toEqual([SAID]);
  // Without a parent each decision of a saga that is not recorded would begin a trace of its own.
  expect(raisedIn({})).toEqual([STARTED]);
  expect(raisedIn(undefined)).toEqual([STARTED]);
});

it('opens no trace for an answer from which nothing follows', () => {
  const seen: object[] = [];
  inTraceOf(saga, SAID, [{ fact: 'prepared', branch: 'stock', reply: null }], false, () => seen.push({}));
  expect(seen).toEqual([]);
});

it('a place in a trace is told only where it is recorded', () => {
  const [, traceId, spanId] = SAID.traceparent.split('-') as [string, string, string];
  const within = (traceFlags: TraceFlags) =>
    trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags });
  expect(recordedIn(within(TraceFlags.SAMPLED))).toBe(SAID.traceparent);
  expect(recordedIn(within(TraceFlags.NONE))).toBeNull();
  expect(recordedIn(ROOT_CONTEXT)).toBeNull();
});
