import { defineEvent, type EventDefinition } from './define-event.js';
import type { EventType } from './event.js';

/**
 * An event that any service may publish, each on its own topic: one schema, one token per publisher. What
 * the wire contracts of libs are made of (`schemas/aura`).
 */
export interface SharedEvent<Out extends object = object, In extends object = Out> {
  /** Full name of the Avro record, the same on every topic. */
  readonly name: string;
  /** The token of this event as `service` publishes it: the same object for the same service. */
  by(service: string): EventType<Out, In>;
}

/** Makes a shared event. Called by generated code. */
export function defineSharedEvent<Out extends object, In extends object = Out>(
  definition: Omit<EventDefinition, 'service'>,
): SharedEvent<Out, In> {
  const tokens = new Map<string, EventType<Out, In>>();
  const by = (service: string): EventType<Out, In> => {
    const token = tokens.get(service) ?? defineEvent<Out, In>({ ...definition, service });
    tokens.set(service, token);
    return token;
  };
  const { namespace, name } = definition.schema as unknown as { name: string; namespace: string };
  return Object.freeze({ name: `${namespace}.${name}`, by });
}
