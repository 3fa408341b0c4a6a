import type { EventEnvelope } from '@aura/contracts';
import { run, startUnder, traceContext } from '@aura/platform';
import {
  context,
  createContextKey,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Link,
  type Span,
  type SpanContext,
} from '@opentelemetry/api';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { planCalls, planLocks, type Call } from './calls.js';
import type { Handlers } from './handlers.js';
import { setWork } from './set-work.js';

const tracer = trace.getTracer('@aura/eventing');
/** A span of a set names at most this many of its events: exporters cut longer lists anyway. */
const MAX_LINKS = 64;
const SET_SPAN = createContextKey('aura.set');

/** The span of the set that is being handled: to link to, it is nobody's parent. Undefined without an SDK. */
export function setSpan(): SpanContext | undefined {
  return context.active().getValue(SET_SPAN) as SpanContext | undefined;
}

/**
 * Applies `events`, in arrival order, through their handlers: of a unit, or of a redrive, in the same way.
 * First the rows that handlers declared, one sorted statement per lock (H18); then one call after the other.
 */
export async function handleAll(
  unit: UnitOfWork,
  events: readonly EventEnvelope[],
  handlers: Handlers,
  group: string,
  batch: Span,
): Promise<void> {
  const handlersOf = (event: EventEnvelope) => handlers.of(event.type, event.topic);
  for (const { statement, keys } of planLocks(events, handlersOf)) await run(unit.client, statement, [keys]);
  for (const call of planCalls(events, handlersOf)) await makeCall(unit, call, group, batch);
}

/**
 * Makes one call of a unit, in the trace of its event; throws `SwallowedSqlError` naming the handler (H1).
 */
export async function makeCall(unit: UnitOfWork, call: Call, group: string, batch: Span): Promise<void> {
  if ('events' in call) await handleSet(unit, call, group, batch);
  else await handleEach(unit, call, group, batch);
  await unit.assertHealthy(call.handler.name);
}

/**
 * Each event keeps its own parent: what caused it, not what happened to arrive beside it. The unit is a link.
 */
function handleEach(
  unit: UnitOfWork,
  { handler, event }: Extract<Call, { event: EventEnvelope }>,
  group: string,
  batch: Span,
): Promise<void> {
  const options = {
    kind: SpanKind.CONSUMER,
    attributes: { ...attributesOf(handler.name, event, group), 'messaging.message.id': event.id },
    links: [{ context: batch.spanContext() }],
  };
  return context.with(traceContext(event.headers, ROOT_CONTEXT), () =>
    tracer.startActiveSpan(`aura.handle ${event.type}`, options, (span) =>
      ended(span, () => handler.handle(event, unit.work({ kind: 'event', event, group }))),
    ),
  );
}

/**
 * A set has no one parent: its span belongs to the unit and links to its events. It is not made active, so
 * that what the handler raises goes on in the trace of the event that it names as cause.
 */
function handleSet(
  unit: UnitOfWork,
  { handler, events }: Extract<Call, { events: readonly EventEnvelope[] }>,
  group: string,
  batch: Span,
): Promise<void> {
  const [first] = events;
  if (!first) return Promise.resolve();
  const parent = trace.setSpan(ROOT_CONTEXT, batch);
  const span = startUnder(tracer, `aura.handle ${first.type}`, parent, () => ({
    kind: SpanKind.CONSUMER,
    attributes: {
      ...attributesOf(handler.name, first, group),
      'messaging.batch.message_count': events.length,
    },
    links: events.slice(0, MAX_LINKS).flatMap(linkTo),
  }));
  const work = setWork(unit, first, group, handler.name);
  const within = ROOT_CONTEXT.setValue(SET_SPAN, span.spanContext());
  return context.with(within, () => ended(span, () => handler.handle(events, work)));
}

function attributesOf(handler: string, event: EventEnvelope, group: string): Record<string, string> {
  return {
    'aura.handler': handler,
    'messaging.operation.type': 'process',
    'messaging.destination.name': event.topic,
    'messaging.destination.partition.id': String(event.partition),
    'messaging.consumer.group.name': group,
  };
}

function linkTo(event: EventEnvelope): Link[] {
  const linked = trace.getSpanContext(traceContext(event.headers, ROOT_CONTEXT));
  return linked ? [{ context: linked }] : [];
}

async function ended(span: Span, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    span.recordException(error instanceof Error ? error : String(error));
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}
