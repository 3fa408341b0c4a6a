import type { EventEnvelope } from '@aura/contracts';
import { setSpan } from '@aura/eventing';
import { traceContext } from '@aura/platform';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import type { Fact } from './saga-state.js';
import type { KnownSaga } from './store.js';

const tracer = trace.getTracer('@aura/saga');

/**
 * Runs `raise` in the trace of what was heard: of the event, or of the saga's own start where it was a
 * timer or a caller. A decision and an end have a span of their own, with a link to the unit around them.
 */
export function inTraceOf(
  saga: KnownSaga,
  cause: EventEnvelope | undefined,
  facts: readonly Fact[],
  raise: () => void,
): void {
  const parent = traceContext(cause?.headers ?? saga.trace, ROOT_CONTEXT);
  const word = wordOf(facts);
  if (word === undefined) return context.with(parent, raise);
  const unit = setSpan();
  const attributes = { 'aura.saga.id': saga.id, 'aura.saga.type': saga.type, ...whyOf(facts) };
  const links = unit ? [{ context: unit }] : [];
  const span = tracer.startSpan(`aura.saga.${word} ${saga.type}`, { attributes, links }, parent);
  context.with(trace.setSpan(parent, span), raise);
  span.end();
}

function wordOf(facts: readonly Fact[]): 'commit' | 'abort' | 'end' | undefined {
  const has = (wanted: Fact['fact']): boolean => facts.some(({ fact }) => fact === wanted);
  if (has('committed')) return 'commit';
  if (has('aborted')) return 'abort';
  return has('ended') ? 'end' : undefined;
}

function whyOf(facts: readonly Fact[]): Record<string, string> {
  const aborted = facts.find((each) => each.fact === 'aborted');
  return aborted ? { 'aura.saga.reason': aborted.why.code, 'aura.saga.why': aborted.why.text } : {};
}
