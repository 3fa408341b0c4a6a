import {
  context,
  propagation,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Span,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api';

/**
 * W3C trace context as it is stored in an outbox row and sent as headers. Empty without an SDK or an active
 * span.
 */
export interface TraceHeaders {
  traceparent?: string;
  tracestate?: string;
}

/** The active span's context, to be carried with an event. */
export function traceHeaders(active: Context = context.active()): TraceHeaders {
  const carrier: Record<string, string> = {};
  propagation.inject(active, carrier);
  const { traceparent, tracestate } = carrier;
  return { ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) };
}

/**
 * The context that headers carry, on top of nothing: an event's parent is its cause, not whatever read it.
 */
export function traceContext(headers: Readonly<Record<string, string>>, root: Context): Context {
  return propagation.extract(root, headers);
}

/**
 * A span under `parent`; where that is not recorded, its place alone: who began the trace has decided, and
 * with sampling most spans are made, filled and thrown away otherwise.
 */
export function startUnder(tracer: Tracer, name: string, parent: Context, options: () => SpanOptions): Span {
  const place = trace.getSpanContext(parent);
  const isDropped = place !== undefined && (place.traceFlags & TraceFlags.SAMPLED) === 0;
  return isDropped ? trace.wrapSpanContext(place) : tracer.startSpan(name, options(), parent);
}

/** A moment of whatever is under way, to be seen in its span. Nothing without an SDK or an active span. */
export function noteInTrace(moment: string, attributes: Attributes = {}): void {
  trace.getActiveSpan()?.addEvent(moment, attributes);
}
