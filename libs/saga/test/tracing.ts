import {
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  trace,
  type Context,
  type ContextManager,
  type TextMapPropagator,
} from '@opentelemetry/api';

/** W3C trace context in one process, as far as specs without an SDK need it. Gives how to end it. */
export function withTracing(): () => void {
  propagation.setGlobalPropagator(W3C);
  context.setGlobalContextManager(new Stacked());
  return () => {
    propagation.disable();
    context.disable();
  };
}

const W3C: TextMapPropagator = {
  inject(within, carrier, setter) {
    const at = trace.getSpanContext(within);
    if (at && isSpanContextValid(at))
      setter.set(carrier, 'traceparent', `00-${at.traceId}-${at.spanId}-0${at.traceFlags}`);
  },
  extract(within, carrier, getter) {
    const text = getter.get(carrier, 'traceparent');
    const [, traceId, spanId, flags] = typeof text === 'string' ? text.split('-') : [];
    if (traceId === undefined || spanId === undefined) return within;
    return trace.setSpanContext(within, { traceId, spanId, traceFlags: Number(flags), isRemote: true });
  },
  fields: () => ['traceparent'],
};

/** Of what runs at once, not of promises. */
class Stacked implements ContextManager {
  readonly #active: Context[] = [];
  active = (): Context => this.#active.at(-1) ?? ROOT_CONTEXT;
  with: ContextManager['with'] = (within, fn, thisArg, ...args) => {
    this.#active.push(within);
    try {
      return fn.call(thisArg as ThisParameterType<typeof fn>, ...args);
    } finally {
      this.#active.pop();
    }
  };
  bind: ContextManager['bind'] = (_, target) => target;
  enable = (): this => this;
  disable = (): this => this;
}
