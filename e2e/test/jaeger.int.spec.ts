/** Traces read back from a real Jaeger: what spans of two services say of parents and links. */
import { randomBytes } from 'node:crypto';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { testJaeger, type TestJaeger } from '../src/jaeger.js';
import { outline } from '../src/trace-tree.js';

/** Building it, where that is asked for. */
const BUILD_MS = 45 * 60_000;

let found: TestJaeger | string;
beforeAll(async () => {
  found = await testJaeger();
  if (typeof found === 'string')
    console.warn(`SKIPPED, every trace that is read back from Jaeger:\n${found}`);
}, BUILD_MS);
afterAll(async () => {
  if (typeof found !== 'string') await found.stop();
});

function jaegerOr(skip: TestContext['skip']): TestJaeger {
  return typeof found === 'string' ? skip(found) : found;
}

const id = (bytes: number): string => randomBytes(bytes).toString('hex');
const text = (key: string, stringValue: string): object => ({ key, value: { stringValue } });

/** Sends spans of one service, as its exporter would. */
async function send({ otlpEndpoint }: TestJaeger, service: string, spans: readonly object[]): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const times = { startTimeUnixNano: String(now), endTimeUnixNano: String(now + 5_000_000n) };
  const resource = { attributes: [text('service.name', service)] };
  const body = {
    resourceSpans: [{ resource, scopeSpans: [{ spans: spans.map((s) => ({ ...times, ...s })) }] }],
  };
  const response = await fetch(`${otlpEndpoint}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
}

describe('a trace in Jaeger', () => {
  it('is found whole by a tag of any of its spans, with parents, links and failures', async ({ skip }) => {
    const jaeger = jaegerOr(skip);
    const [traceId, batch, saga] = [id(16), id(16), id(8)];
    const [post, unit, prepare] = [id(8), id(8), id(8)];
    const services = { checkout: `checkout-${saga}`, payments: `payments-${saga}` };
    await send(jaeger, services.checkout, [{ traceId, spanId: post, name: 'POST /purchases', kind: 2 }]);
    await send(jaeger, services.payments, [
      { traceId: batch, spanId: unit, name: 'aura.unit', kind: 1 },
      {
        traceId,
        spanId: prepare,
        parentSpanId: post,
        name: 'prepare',
        kind: 5,
        attributes: [text('aura.saga.id', saga)],
        // Of the parent too: /api/traces would give that as a link alone.
        links: [
          { traceId, spanId: post },
          { traceId: batch, spanId: unit },
        ],
        status: { code: 2 },
      },
    ]);
    const [trace] = await settled('the trace is there', async () => {
      const traces = await jaeger.traces.byTag('aura.saga.id', saga);
      return traces[0]?.spans.length === 2 && traces;
    });
    expect(trace && outline(trace)).toBe(
      `${services.checkout}: POST /purchases\n  ${services.payments}: prepare (failed) +2`,
    );
    const [root] = trace?.roots ?? [];
    expect(root).toMatchObject({ traceId, spanId: post, kind: 'server', parentId: undefined, links: [] });
    expect(root?.children).toMatchObject([
      {
        spanId: prepare,
        kind: 'consumer',
        parentId: post,
        tags: { 'aura.saga.id': saga },
        links: [
          { traceId, spanId: post },
          { traceId: batch, spanId: unit },
        ],
      },
    ]);
    expect(await jaeger.traces.byTag('aura.saga.id', id(8))).toEqual([]);
    expect(await jaeger.traces.byId(id(16))).toBeUndefined();
  });
});
