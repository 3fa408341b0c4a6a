export { HEADER, type AvroSchema, type EventEnvelope, type EventType, type NewEvent } from './event.js';
export type { SchemaRegistry } from './registry.js';
