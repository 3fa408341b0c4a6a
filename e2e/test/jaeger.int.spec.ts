/**
 * Traces read back from a real Jaeger: what spans of two services say of parents and links, and the demo's
 * photo, whose trace goes through HTTP, outbox, log, task and back.
 */
import { randomBytes } from 'node:crypto';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { testJaeger, type TestJaeger } from '../src/jaeger.js';
import { ancestorsOf, outline, type SpanNode, type Trace } from '../src/trace-tree.js';
import { Demo } from './demo-program.js';

/** Services send what they have every five seconds and at their stop. */
const PATIENCE = { withinMs: 60_000, everyMs: 100 };
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

  it.skipIf(process.platform === 'win32')(
    "of the demo's photo is one, from the request through both services and back",
    async ({ skip }) => {
      const jaeger = jaegerOr(skip);
      const trace = await traceOfPhoto(jaeger);
      const shape = outline(trace);
      const [request, ...others] = trace.roots;
      expect(others, shape).toEqual([]);
      expect(request, shape).toMatchObject({ service: 'gateway', kind: 'server', parentId: undefined });
      for (const [service, operation, causes] of WAY) {
        const span = spanOf(trace, service, operation);
        const above = ancestorsOf(trace, span).map((each) => `${each.service}: ${each.operation}`);
        expect(above, `${operation} in\n${shape}`).toEqual(causes);
        if (operation.startsWith('aura.handle')) await expectUnit(jaeger, trace, span);
      }
    },
    300_000,
  );
});

const REQUEST = ['gateway: PhotosController.take', 'gateway: POST /photos'];
const HEARD = ['image-analysis: aura.handle gateway.PhotoReceived', ...REQUEST];
const ANALYSED = ['image-analysis: task analyse-photo', ...HEARD];
/** What must be there, and all that is above it, the nearest first. */
const WAY: readonly (readonly [service: string, operation: string, above: readonly string[]])[] = [
  ['image-analysis', 'aura.handle gateway.PhotoReceived', REQUEST],
  ['gateway', 'aura.handle image_analysis.PhotoAnalysisStarted', HEARD],
  ['image-analysis', 'task analyse-photo', HEARD],
  ['gateway', 'aura.handle image_analysis.PhotoAnalysed', ANALYSED],
];

/** What handled the event links to the unit that it arrived in, which is a trace of the same service. */
async function expectUnit(
  { traces }: TestJaeger,
  { traceId }: Trace,
  { service, links }: SpanNode,
): Promise<void> {
  expect(links).toHaveLength(1);
  const [link] = links;
  expect(link?.traceId).not.toBe(traceId);
  const unit = await traces.byId(link?.traceId ?? '');
  expect(unit?.roots).toMatchObject([{ spanId: link?.spanId, service, operation: 'aura.unit' }]);
}

function spanOf(trace: Trace, service: string, operation: string): SpanNode {
  const span = trace.spans.find((each) => each.service === service && each.operation === operation);
  return span ?? expect.fail(`no ${operation} of ${service} in\n${outline(trace)}`);
}

async function traceOfPhoto({ otlpEndpoint, traces }: TestJaeger): Promise<Trace> {
  const demo = new Demo({ AURA_OTLP_ENDPOINT: otlpEndpoint });
  try {
    const { code, stderr } = await demo.run('--once', '--json', '--processes', '--no-kill');
    expect(code, stderr).toBe(0);
    return await settled('the trace', async () => (await traces.byTag('http.route', '/photos'))[0], PATIENCE);
  } finally {
    await demo.dispose();
  }
}
