import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metrics, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { traceHeaders } from '@aura/platform';
import { settled } from '@aura/testing';
import { Controller, type ExecutionContext, Get, Module, NotFoundException, Param } from '@nestjs/common';
import { defer, lastValueFrom, of } from 'rxjs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ask, startTestService } from '../../test/service.js';
import type { RunningService } from '../start-service.js';
import { HandlerSpans } from './handler-spans.js';
import { startTelemetry, stopTelemetry } from './sdk.js';

@Controller('things')
class ThingsController {
  @Get(':how')
  async get(@Param('how') how: string): Promise<unknown> {
    await Promise.resolve();
    if (how === 'missing') throw new NotFoundException();
    if (how === 'broken') throw new Error('it broke');
    return traceHeaders();
  }
}

@Module({ controllers: [ThingsController] })
class ThingsModule {}

const exporter = new InMemorySpanExporter();
let service: RunningService;
beforeAll(async () => {
  startTelemetry({ serviceName: 'test', spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  service = await startTestService(ThingsModule);
});
afterAll(async () => {
  await service.stop();
  await stopTelemetry();
});
beforeEach(() => exporter.reset());

/** The answer is sent before its span ends. */
const spanOf = (name: string): Promise<ReadableSpan> =>
  settled(`span ${name}`, () => exporter.getFinishedSpans().find((span) => span.name === name));

describe('spans of handlers', () => {
  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const CALLER = 'b7ad6b7169203331';
  const headers = { traceparent: `00-${TRACE}-${CALLER}-01`, tracestate: 'a=b' };

  it("are in the caller's trace, and the context of the handler", async () => {
    const { json } = await ask(`${service.url}/things/7`, { headers });
    const span = await spanOf('ThingsController.get');
    expect(span.spanContext().traceId).toBe(TRACE);
    expect(span.attributes).toMatchObject({ 'aura.service': 'things', 'http.route': '/things/:how' });
    expect(json).toEqual({ traceparent: `00-${TRACE}-${span.spanContext().spanId}-01`, tracestate: 'a=b' });
  });

  it("are the request's server span where nobody made one, else a child of it", async () => {
    const request = { headers, method: 'GET', route: { path: '/things/:how' } };
    const execution = {
      getType: () => 'http',
      getClass: () => ThingsController,
      getHandler: () => ({ name: 'get' }),
      switchToHttp: () => ({ getRequest: () => request }),
    } as unknown as ExecutionContext;
    const handle = (): Promise<unknown> =>
      lastValueFrom(
        new HandlerSpans('things').intercept(execution, { handle: () => defer(() => of(traceHeaders())) }),
      );

    await handle();
    const alone = await spanOf('ThingsController.get');
    expect(alone.kind).toBe(SpanKind.SERVER);
    expect(alone.parentSpanContext?.spanId).toBe(CALLER);
    exporter.reset();
    const outer = await trace.getTracer('test').startActiveSpan('outer', async (span) => {
      await handle();
      span.end();
      return span.spanContext();
    });
    const child = await spanOf('ThingsController.get');
    expect(child.kind).toBe(SpanKind.INTERNAL);
    expect(child.parentSpanContext?.spanId).toBe(outer.spanId);
  });

  it('are failed where we failed, not where the client did', async () => {
    await ask(`${service.url}/things/missing`);
    expect((await spanOf('ThingsController.get')).status.code).toBe(SpanStatusCode.UNSET);
    exporter.reset();
    await ask(`${service.url}/things/broken`);
    const span = await spanOf('ThingsController.get');
    expect(span.status.code).toBe(SpanStatusCode.ERROR);
    expect(span.events.map(({ name }) => name)).toEqual(['exception']);
  });
});

const calls = (): ReadableSpan[] =>
  exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT);

describe('a fetch', () => {
  const server = createServer(({ headersDistinct }, answer) =>
    answer.end(JSON.stringify(headersDistinct['traceparent'] ?? [])),
  );
  let url: string;
  beforeAll(async () => {
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  /** What arrived as `traceparent`. */
  const arrived = async (headers: Record<string, string> = {}): Promise<unknown> =>
    (await fetch(url, { headers })).json();

  it('is a span of the trace that it is made in, and says so', async () => {
    const [said, outer] = await trace.getTracer('test').startActiveSpan('outer', async (span) => {
      return [await arrived(), span.spanContext()] as const;
    });
    const call = await settled('its end', () => calls()[0]);
    expect(call).toMatchObject({ kind: SpanKind.CLIENT, parentSpanContext: { spanId: outer.spanId } });
    expect(said).toEqual([`00-${outer.traceId}-${call.spanContext().spanId}-01`]);
  });

  it('that says itself where it belongs is left alone: two of them could not be read', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const said = await trace.getTracer('test').startActiveSpan('outer', () => arrived({ traceparent }));
    expect([said, calls()]).toEqual([[traceparent], []]);
  });

  it('that belongs to nothing begins no trace', async () => {
    expect([await arrived(), calls()]).toEqual([[], []]);
  });
});

describe('metrics', () => {
  it('are served at /metrics, for every service of the process', async () => {
    metrics.getMeter('test').createCounter('aura_things').add(3, { kind: 'x' });
    const other = await startTestService(ThingsModule, {}, undefined, 'other');
    try {
      for (const { url } of [service, other])
        expect((await ask(`${url}/metrics`)).text).toMatch(/^aura_things_total\{kind="x".*\} 3$/m);
    } finally {
      await other.stop();
    }
  });
});

describe('the SDK', () => {
  it('starts once, and can start again after it stopped', async () => {
    expect(startTelemetry({ serviceName: 'second' })).toBe(false);
    await stopTelemetry();
    await stopTelemetry();
    expect(recorded().isRecording()).toBe(false);
    expect(startTelemetry({ serviceName: 'again', traceSampleRatio: 1 })).toBe(true);
    expect(recorded().isRecording()).toBe(true);
  });
});

function recorded(): Span {
  return trace.getTracer('test').startSpan('x');
}
