/**
 * The demo's traces in a real Jaeger, each one whole: a purchase, from the request through every outbox,
 * topic and service, and a photo, through HTTP, outbox, log, task and back.
 */
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { testJaeger, type TestJaeger } from '../src/jaeger.js';
import { ancestorsOf, outline, type SpanNode, type Trace } from '../src/trace-tree.js';
import { Demo, type PurchaseSummary, type Summary } from './demo-program.js';

/** Services send what they have often and at their stop. */
const PATIENCE = { withinMs: 60_000, everyMs: 100 };
/** Building it, where that is asked for. */
const BUILD_MS = 45 * 60_000;
const OWNERS = { stock: 'inventory', payment: 'payments', delivery: 'delivery' } as const;

let jaeger: TestJaeger | string;
let purchases: readonly PurchaseSummary[] = [];
beforeAll(async () => {
  jaeger = await testJaeger();
  if (typeof jaeger === 'string' || process.platform === 'win32') return;
  const demo = new Demo({ AURA_OTLP_ENDPOINT: jaeger.otlpEndpoint });
  try {
    const { code, stdout, stderr } = await demo.run('--once', '--json');
    expect(code, stderr).toBe(0);
    purchases = (JSON.parse(stdout) as Summary).purchases;
  } finally {
    await demo.dispose();
  }
}, BUILD_MS);
afterAll(async () => {
  if (typeof jaeger !== 'string') await jaeger.stop();
});

/** The whole trace of a purchase, once its end has arrived in Jaeger. */
async function traceOf(name: PurchaseSummary['name'], skip: TestContext['skip']): Promise<Trace> {
  if (typeof jaeger === 'string') return skip(`no Jaeger: ${jaeger}`);
  const { traces } = jaeger;
  const id = purchases.find((each) => each.name === name)?.id ?? '';
  return settled(
    `the trace of ${name}`,
    async () => {
      const found = (await traces.byTag('aura.saga.id', id)).filter(({ spans }) => spans.length > 1);
      return found.find((trace) => named(trace, 'aura.saga.end buy-outfit').length > 0);
    },
    PATIENCE,
  );
}

function named({ spans }: Trace, operation: string): SpanNode[] {
  return spans.filter((span) => span.operation === operation);
}

function above(trace: Trace, span: SpanNode | undefined): string[] {
  return span ? ancestorsOf(trace, span).map(({ service, operation }) => `${service}: ${operation}`) : [];
}

describe.skipIf(process.platform === 'win32')('a saga in Jaeger', () => {
  it('is one trace: every prepare and commit, under the request and the decision that caused it', async ({
    skip,
  }) => {
    const trace = await traceOf('bought', skip);
    const shape = outline(trace);
    expect(trace.roots, shape).toHaveLength(1);
    const asked = named(trace, 'POST /purchases').find(({ service }) => service === 'checkout');
    expect(above(trace, asked)[0], shape).toBe('gateway: POST');
    const [decision] = named(trace, 'aura.saga.commit buy-outfit');
    expect(decision?.service, shape).toBe('checkout');
    for (const [branch, service] of Object.entries(OWNERS)) {
      const [prepare, ...more] = named(trace, `aura.saga.prepare ${branch}`);
      expect(more, shape).toEqual([]);
      expect(prepare?.service, shape).toBe(service);
      expect(above(trace, prepare), shape).toContain('checkout: POST /purchases');
      const [commit] = named(trace, `aura.saga.commit ${branch}`);
      expect(commit?.service, shape).toBe(service);
      expect(above(trace, commit), shape).toContain('checkout: aura.saga.commit buy-outfit');
      for (const span of [prepare, commit]) expect(span?.links.length, shape).toBeGreaterThan(0);
    }
    expect(
      above(trace, decision).some((line) => line.includes('aura.saga.prepare')),
      shape,
    ).toBe(true);
  });

  it('shows what checkout asked inventory for, over HTTP', async ({ skip }) => {
    const trace = await traceOf('bought', skip);
    const shape = outline(trace);
    const [answer, ...more] = named(trace, 'POST /quotes');
    expect(more, shape).toEqual([]);
    expect(answer, shape).toMatchObject({ service: 'inventory', kind: 'server' });
    expect(above(trace, answer)[0], shape).toBe('checkout: POST');
    expect(above(trace, answer), shape).toContain('checkout: POST /purchases');
  });

  it('shows who refused and why, and what was given back', async ({ skip }) => {
    const trace = await traceOf('declined', skip);
    const shape = outline(trace);
    // Also of payments, which is killed a moment later: what it has done is there.
    expect(trace.roots, shape).toHaveLength(1);
    const refusals = trace.spans.filter(({ tags }) => tags['aura.saga.vote'] === 'refused');
    expect(
      refusals.map(({ service, operation }) => `${service}: ${operation}`),
      shape,
    ).toEqual(['payments: aura.saga.call payment']);
    const [abort] = named(trace, 'aura.saga.abort buy-outfit');
    expect(abort, shape).toMatchObject({
      service: 'checkout',
      tags: { 'aura.saga.reason': 'card-declined' },
    });
    for (const branch of ['stock', 'delivery'])
      expect(above(trace, named(trace, `aura.saga.cancel ${branch}`)[0]), shape).toContain(
        'checkout: aura.saga.abort buy-outfit',
      );
    expect(named(trace, 'aura.saga.commit buy-outfit'), shape).toEqual([]);
  });
});

describe.skipIf(process.platform === 'win32')('a photo in Jaeger', () => {
  it('is one trace, from the request through both services and back', async ({ skip }) => {
    if (typeof jaeger === 'string') return skip(`no Jaeger: ${jaeger}`);
    const { traces } = jaeger;
    const trace = await settled(
      'the trace',
      async () => (await traces.byTag('http.route', '/photos'))[0],
      PATIENCE,
    );
    const shape = outline(trace);
    const [request, ...others] = trace.roots;
    expect(others, shape).toEqual([]);
    expect(request, shape).toMatchObject({ service: 'gateway', kind: 'server', parentId: undefined });
    for (const [service, operation, causes] of WAY) {
      const span = spanOf(trace, service, operation);
      expect(above(trace, span), `${operation} in\n${shape}`).toEqual(causes);
      if (operation.startsWith('aura.handle')) await expectUnit(jaeger, trace, span);
    }
  });
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
