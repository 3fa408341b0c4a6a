/**
 * OpenTelemetry of one process. Libraries see `@opentelemetry/api` only; this is the one place with an SDK.
 *
 * - no exporter runs unless an endpoint is given (the SDK's own default sends to localhost:4318 and fails
 *   for ever);
 * - metrics are read by Prometheus from the service's own port: /metrics;
 * - what is recorded is decided where a trace begins: sampling.ts;
 * - the context travels as W3C `traceparent` and `tracestate`: over HTTP, and through outbox and log;
 * - the Kafka client has no spans of its own: units and handlers have them, linked to their events, whatever
 *   the log is; with those of each message beside them tracing cost twice as much.
 */
import { context, createNoopMeter, metrics, propagation, trace } from '@opentelemetry/api';
import { getNumberFromEnv, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { UndiciInstrumentation, type UndiciRequest } from '@opentelemetry/instrumentation-undici';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor, NoopSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace';
import { closeMetrics, openMetrics } from './metrics.js';
import { samplerOf } from './sampling.js';

export interface TelemetryOptions {
  readonly serviceName: string;
  /**
   * Base URL of an OTLP/HTTP collector; traces are sent to `<it>/v1/traces`, every second or every
   * `OTEL_BSP_SCHEDULE_DELAY` ms. Nothing is sent without it.
   */
  readonly otlpEndpoint?: string | undefined;
  /**
   * Share of the traces begun here that are recorded; `OTEL_TRACES_SAMPLER` is not read. Default 1; where
   * spans are sent nowhere 0: their ids are made all the same.
   */
  readonly traceSampleRatio?: number | undefined;
  /** Further processors: a test's exporter. */
  readonly spanProcessors?: readonly SpanProcessor[];
}

/** A process that is killed takes the spans of so long along (the SDK's own default: 5 s). */
const SENT_EVERY_MS = 1_000;
const PROBES = /^\/(metrics|health)(\/|\?|$)/;

const NO_METERS = { getMeter: () => createNoopMeter() };

let sdk: NodeSDK | undefined;

/**
 * Starts the process's telemetry; true where it was not running yet. The first caller decides its options.
 */
export function startTelemetry({
  serviceName,
  otlpEndpoint,
  traceSampleRatio,
  spanProcessors = [],
}: TelemetryOptions): boolean {
  if (sdk) return false;
  // The SDK adds a log exporter of its own accord otherwise.
  process.env['OTEL_LOGS_EXPORTER'] ??= 'none';
  // Its other detectors put the command line and the paths of the process into /metrics and every trace.
  process.env['OTEL_NODE_RESOURCE_DETECTORS'] ??= 'env,host,serviceinstance';
  const exporters = otlpEndpoint
    ? [
        new BatchSpanProcessor({
          exporter: new OTLPTraceExporter({ url: tracesUrl(otlpEndpoint) }),
          scheduledDelayMillis: getNumberFromEnv('OTEL_BSP_SCHEDULE_DELAY') ?? SENT_EVERY_MS,
        }),
      ]
    : [];
  const recorders = [...spanProcessors, ...exporters];
  // Of every statement: where no span is recorded it would be work for nothing.
  const statements = recorders.length > 0 ? [new PgInstrumentation({ requireParentSpan: true })] : [];
  sdk = new NodeSDK({
    serviceName,
    sampler: samplerOf(traceSampleRatio ?? (recorders.length > 0 ? 1 : 0)),
    // Without any processor there would be no trace ids at all: none in the log, none in the outbox.
    spanProcessors: [new NoopSpanProcessor(), ...recorders],
    metricReaders: [openMetrics()],
    textMapPropagator: new W3CTraceContextPropagator(),
    instrumentations: [
      new HttpInstrumentation({ ignoreIncomingRequestHook: (request) => PROBES.test(request.url ?? '') }),
      new UndiciInstrumentation({ requireParentforSpans: true, ignoreRequestHook: saysItsTrace }),
      ...statements,
    ],
  });
  sdk.start();
  // Its histogram of every statement would cost more than its spans: Postgres counts them itself.
  for (const each of statements) each.setMeterProvider(NO_METERS);
  return true;
}

/** Sends what is buffered and stops. Idempotent. */
export async function stopTelemetry(): Promise<void> {
  const running = sdk;
  sdk = undefined;
  closeMetrics();
  await running?.shutdown();
  // The SDK leaves its dead providers behind as the process's; a later start could not replace them.
  for (const api of [trace, metrics, context, propagation]) api.disable();
}

/** A `fetch` whose caller has set `traceparent` itself: with a second one, nobody could read either. */
function saysItsTrace({ headers }: UndiciRequest): boolean {
  const lines = typeof headers === 'string' ? headers.split('\r\n') : headers;
  return lines.some((line) => /^traceparent(:|$)/i.test(String(line)));
}

function tracesUrl(endpoint: string): string {
  return new URL('v1/traces', endpoint.endsWith('/') ? endpoint : `${endpoint}/`).href;
}
