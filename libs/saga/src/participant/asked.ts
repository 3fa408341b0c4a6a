/**
 * One ask while it is worked on: its span in the trace of the event that brought it, and a `Work` whose
 * events and tasks go on from there.
 */
import { setSpan, workWith, type Work } from '@aura/eventing';
import { InvariantError, startUnder, traceContext, traceHeaders } from '@aura/platform';
import {
  context,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span,
} from '@opentelemetry/api';
import type { Incoming } from './incoming.js';
import type { KnownBranch } from './known-branches.js';
import type { Ask, SetWork, Vote } from './participant.js';

const tracer = trace.getTracer('@aura/saga');

export class Asked {
  readonly #span: Span;
  readonly #context: Context;

  constructor(
    readonly incoming: Incoming,
    { type }: KnownBranch,
  ) {
    const { event, branch, sagaId, phase } = incoming;
    const undoes = type.kind === 'compensatable' && phase === 'cancel';
    const parent = traceContext(event.headers, ROOT_CONTEXT);
    const name = `aura.saga.${undoes ? 'compensate' : phase} ${branch}`;
    this.#span = startUnder(tracer, name, parent, () => {
      const unit = setSpan();
      const attributes = {
        'aura.saga.id': sagaId,
        'aura.saga.branch': branch,
        'aura.saga.type': type.name,
        ...(undoes ? { 'aura.saga.compensation': true } : {}),
      };
      return { attributes, links: unit ? [{ context: unit }] : [] };
    });
    this.#context = trace.setSpan(parent, this.#span);
  }

  voted(vote: Vote): void {
    this.#span.setAttribute('aura.saga.vote', vote.prepared ? 'prepared' : 'refused');
    if (!vote.prepared) markRefusal(this.#span, vote);
  }

  failed(error: unknown): void {
    this.#span.recordException(error instanceof Error ? error : String(error));
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }

  end(): void {
    this.#span.end();
  }

  /** Of its span; null where that is not recorded. */
  get traceparent(): string | null {
    return recordedIn(this.#context);
  }

  /** `work`, on behalf of this ask: what it raises and schedules is caused by its event, in its span. */
  on(work: Work): Work {
    const { event } = this.incoming;
    return workWith(work, (inner) => ({
      raise: (raised, options) => this.within(() => inner.raise(raised, { cause: event, ...options })),
      schedule: (task) => this.within(() => inner.schedule({ cause: event, ...task })),
    }));
  }

  /** Runs what belongs to this ask alone within its span. */
  within<T>(fn: () => T): T {
    return context.with(this.#context, fn);
  }
}

/** `traceparent` of what is active in `within`; null where that is not recorded. */
export function recordedIn(within: Context): string | null {
  const span = trace.getSpanContext(within);
  const isRecorded = span !== undefined && (span.traceFlags & TraceFlags.SAMPLED) !== 0;
  return isRecorded ? (traceHeaders(within).traceparent ?? null) : null;
}

/** `recordedIn` what is active. */
export const recordedHere = (): string | null => recordedIn(context.active());

/** Seen on the span's bar, without opening it: a refusal is an answer, no error. */
export function markRefusal(
  span: Span,
  { code, reason }: Pick<Vote & { prepared: false }, 'code' | 'reason'>,
) {
  span.setAttribute('aura.saga.refusal', code);
  span.addEvent('refused', { code, reason });
}

/** `work` of a set: whoever raises says for which of the asks. `own`: of one of them, on this transaction. */
export function setWorkOf(work: Work, own: (ask: Ask, inner: Work) => Work | undefined): SetWork {
  const shared = workWith(work, () => ({
    raise: (event) => unnamed(`raised ${event.type.name}`),
    schedule: (task) => unnamed(`scheduled ${task.kind}`),
  }));
  const of = (ask: Ask): Work =>
    own(ask, work) ?? unnamed(`named branch ${ask.branch} of saga ${ask.sagaId}, no part of it,`);
  return { ...shared, savepoint: (fn) => work.savepoint((inner) => fn(setWorkOf(inner, own))), of };
}

function unnamed(what: string): never {
  throw new InvariantError(`a set of asks ${what} without saying for which: use work.of(ask)`);
}
