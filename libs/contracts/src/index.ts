export { AvroCodec, schemaProblem, type BodyReader } from './avro.js';
export {
  BRANCH_KINDS,
  defineBranch,
  type BranchDefinition,
  type BranchKind,
  type BranchType,
} from './branch.js';
export {
  compatibilityProblems,
  readingProblems,
  revisionProblems,
  transitiveProblems,
  type SchemaProblem,
} from './compatibility.js';
export { Contracts, type ContractsOptions, type EncodedEvent, type SchemaDefinition } from './contracts.js';
export { defineEvent, type EventDefinition } from './define-event.js';
export {
  EventTooLargeError,
  InvalidPayloadError,
  SchemaRefusedError,
  UnknownSchemaIdError,
  UnreadableEventError,
  type PayloadProblem,
} from './errors.js';
export { HEADER, type AvroSchema, type EventEnvelope, type EventType, type NewEvent } from './event.js';
export { derivedId, isUuidV7, timeOf, type Derivation } from './event-id.js';
export { canonicalForm, fingerprintOf } from './fingerprint.js';
export { frame, unframe } from './framing.js';
export { cloudEventHeaders, parseEventHeaders, type EventHeaders, type PublishedEvent } from './headers.js';
export { defineSharedEvent, type SharedEvent } from './shared-event.js';
export type { SchemaRegistry } from './registry.js';
export { ConfluentRegistry, type ConfluentRegistryOptions } from './registry/confluent.js';
export { PostgresRegistry, type PostgresRegistryOptions } from './registry/postgres.js';
export { newEventId } from './new-event-id.js';
