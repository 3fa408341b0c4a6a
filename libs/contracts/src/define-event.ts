import type { AvroSchema, EventType } from './event.js';
import { fingerprintOf } from './fingerprint.js';

/** What generated code says of an event type; the rest follows from it. */
export interface EventDefinition {
  readonly service: string;
  readonly version: number;
  readonly keyField: string;
  readonly schema: AvroSchema;
}

/**
 * Makes a token. Called by generated code (`tools/codegen`) and by tests; schemas are checked where they
 * are generated.
 */
export function defineEvent<Out extends object, In extends object = Out>(
  definition: EventDefinition,
): EventType<Out, In> {
  const { service, version, keyField, schema } = definition;
  const { name: short, namespace } = schema as unknown as { name: string; namespace?: string };
  const name = namespace === undefined ? short : `${namespace}.${short}`;
  const topic = `${service}.events`;
  const type: EventType<Out, In> = {
    name,
    service,
    topic,
    subject: `${topic}-${name}`,
    version,
    schema,
    fingerprint: fingerprintOf(schema),
    keyField,
    of: (payload) => ({ type, payload }),
  };
  return Object.freeze(type);
}
