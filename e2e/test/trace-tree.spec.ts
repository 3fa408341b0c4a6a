import { describe, expect, it } from 'vitest';
import { ancestorsOf, outline, traceOf, type OtlpTraces } from '../src/trace-tree.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const OTHER = '4bf92f3577b34da6a3ce929d0e0e4736';

const span = (spanId: string, parentSpanId: string, startTimeUnixNano: string, more: object = {}) => ({
  traceId: TRACE,
  spanId,
  parentSpanId,
  name: spanId,
  kind: 2,
  startTimeUnixNano,
  endTimeUnixNano: `${startTimeUnixNano}0`,
  ...more,
});

const resource = (service: string, spans: object[]) => ({
  resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
  scopeSpans: [{ spans }],
});

const otlp = {
  resourceSpans: [
    resource('payments', [
      span('prepare', 'handle', '1764000000000000003', {
        status: { code: 2 },
        links: [
          { traceId: TRACE, spanId: 'handle' },
          { traceId: OTHER, spanId: 'unit' },
        ],
        events: [{ name: 'refused', attributes: [{ key: 'reason', value: { stringValue: 'no money' } }] }],
      }),
      span('handle', 'post', '1764000000000000002'),
      span('handle', 'post', '1764000000000000002'),
    ]),
    resource('checkout', [
      span('decided', 'gone', '1764000000000000005'),
      span('reply', 'post', '1764000000000000004'),
      span('post', '', '1764000000000000001', {
        kind: 1,
        attributes: [
          { key: 'n', value: { intValue: '7' } },
          { key: 'whole', value: { boolValue: false } },
          { key: 'share', value: { doubleValue: 0.5 } },
          { key: 'names', value: { arrayValue: { values: [{ stringValue: 'a' }, { stringValue: 'b' }] } } },
        ],
      }),
      { ...span('stranger', '', '1'), traceId: OTHER },
    ]),
  ],
} as unknown as OtlpTraces;

describe('a trace read back', () => {
  const trace = traceOf(TRACE, otlp);
  const node = (name: string) => trace.spans.find(({ operation }) => operation === name) ?? expect.fail(name);

  it('is a tree across services, each level in order of time, the orphans at the top', () => {
    expect(outline(trace).split('\n')).toEqual([
      'checkout: post',
      '  payments: handle',
      '    payments: prepare (failed) +2',
      '  checkout: reply',
      'checkout: decided',
    ]);
    expect(trace.roots.map(({ parentId }) => parentId)).toEqual([undefined, 'gone']);
    expect(trace.spans).toHaveLength(5);
  });

  it('keeps kind, tags, events, links and the time to the nanosecond', () => {
    expect(node('post')).toMatchObject({
      kind: 'internal',
      failed: false,
      tags: { n: 7, whole: false, share: 0.5, names: ['a', 'b'] },
      startedAt: 1_764_000_000_000_000_001n,
      endedAt: 17_640_000_000_000_000_010n,
      links: [],
    });
    expect(node('prepare').links.map(({ traceId }) => traceId)).toEqual([TRACE, OTHER]);
    expect(node('prepare').events).toEqual([{ name: 'refused', tags: { reason: 'no money' } }]);
  });

  it('tells who is above a span', () => {
    expect(ancestorsOf(trace, node('prepare')).map(({ operation }) => operation)).toEqual(['handle', 'post']);
    expect(ancestorsOf(trace, node('decided'))).toEqual([]);
  });

  it('is empty where nothing was found', () => {
    expect(traceOf(TRACE, {})).toEqual({ traceId: TRACE, roots: [], spans: [] });
  });
});
