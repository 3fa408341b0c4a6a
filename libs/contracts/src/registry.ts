import type { AvroSchema } from './event.js';

/**
 * Where writer schemas are found by the id in a record's frame. Two adapters: a Confluent-compatible
 * registry, and a table in Postgres. Both keep compatibility FULL_TRANSITIVE per subject; ids of one need
 * not equal ids of the other.
 *
 * Errors: `TransientError` when the registry is away; `TerminalError` when it refuses (incompatible schema,
 * with reason and field) or does not know an id.
 */
export interface SchemaRegistry {
  /**
   * Registers `schema` under `subject` unless it is there; its id either way. Idempotent, safe from many
   * processes.
   */
  register(subject: string, schema: AvroSchema): Promise<number>;
  /** The schema of an id. Ids never change their meaning: callers may cache for ever. */
  schemaById(id: number): Promise<AvroSchema>;
  /** Rejects with `TransientError` when the registry does not answer within `timeoutMs`. For readiness. */
  ping(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}
