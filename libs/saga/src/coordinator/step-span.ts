import { setSpan } from '@aura/eventing';
import { startUnder, traceContext } from '@aura/platform';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import type { Fact } from './saga-state.js';
import type { KnownSaga } from './store.js';

const tracer = trace.getTracer('@aura/saga');

/**
 * Runs `raise` in the trace of what was heard: where a participant said it, or of the saga's own start. A
 * decision and an end have a span of their own, with a link to the unit around them.
 */
export function inTraceOf(
  saga: KnownSaga,
  heard: Readonly<Record<string, string>> | undefined,
  facts: readonly Fact[],
  raises: boolean,
  raise: () => void,
): void {
  const word = wordOf(facts);
  if (word === undefined && !raises) return;
  const parent = traceContext(heard?.['traceparent'] === undefined ? saga.trace : heard, ROOT_CONTEXT);
  if (word === undefined) return context.with(parent, raise);
  const span = startUnder(tracer, `aura.saga.${word} ${saga.type}`, parent, () => {
    const unit = setSpan();
    const attributes = { 'aura.saga.id': saga.id, 'aura.saga.type': saga.type, ...whyOf(facts) };
    return { attributes, links: unit ? [{ context: unit }] : [] };
  });
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
