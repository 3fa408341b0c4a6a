/**
 * Avro bytes <-> what TypeScript holds. The representations, in payloads given and read:
 *
 * | Avro | TypeScript |
 * | --- | --- |
 * | null, boolean, string, int, float, double | null, boolean, string (well-formed), number |
 * | long; timestamp-micros and other logical longs | bigint (in their unit) |
 * | timestamp-millis | Date |
 * | date | 'YYYY-MM-DD' |
 * | decimal (bytes, fixed) | string with exactly the schema's scale: '12.30' |
 * | uuid (string, fixed of 16) | lower-case string |
 * | bytes, fixed | Buffer |
 * | enum | one of its symbols, as a string |
 * | [null, T], [T, null] | T or null |
 * | any other union | null, or { 'name of the branch': value } with the type's name or a record's full name |
 * | array, map, record | array, object, object with the record's fields and no other |
 */
import { LRUCache } from 'lru-cache';
import { isType, type AvscResolver, type AvscType } from './avro/avsc-internals.js';
import { avscType } from './avro/avsc-type.js';
import { MAX_PROBLEMS, payloadProblems } from './avro/payload-problems.js';
import { InvalidPayloadError, UnreadableEventError } from './errors.js';
import type { AvroSchema } from './event.js';
import { fingerprintOf } from './fingerprint.js';
import { meaningProblems } from './meaning.js';

/**
 * Writer revisions of one event type that a process meets: a handful; the bound is against a hostile topic.
 */
const MAX_READERS = 256;

/** Reads the bodies that one writer schema wrote. Throws `UnreadableEventError`. */
export type BodyReader = (body: Buffer) => object;

/** Encodes and decodes one record type. Compiled once; safe to share. */
export class AvroCodec {
  readonly fingerprint: string;
  readonly #type: AvscType;
  /** By the writer schema's fingerprint. */
  readonly #readers = new LRUCache<string, BodyReader>({ max: MAX_READERS });

  /** Throws when `schema` is no valid record. */
  constructor(
    readonly name: string,
    readonly schema: AvroSchema,
  ) {
    this.#type = avscType(schema, true);
    if (!this.#type.fields)
      throw new TypeError(`${name}: the schema is a ${this.#type.typeName}, not a record`);
    this.fingerprint = fingerprintOf(schema);
    this.#readers.set(this.fingerprint, this.#reader(undefined));
  }

  /**
   * The body's bytes. Fields with a default may be left out. Throws `InvalidPayloadError` before writing
   * anything.
   */
  encode(payload: object): Buffer {
    if (!this.#type.isValid(payload, STRICT)) throw this.#invalid(payload);
    return this.#type.toBuffer(payload);
  }

  /** The payload in this codec's own schema, whatever revision wrote it. Throws `UnreadableEventError`. */
  decode(body: Buffer, writerSchema: AvroSchema): object {
    return this.readerOf(writerSchema)(body);
  }

  /** The reader of a writer schema that was met before; no work, no I/O. */
  knownReader(fingerprint: string): BodyReader | undefined {
    return this.#readers.get(fingerprint);
  }

  /**
   * For batches: resolves the writer's schema once. Throws `UnreadableEventError` when it can't be read as
   * ours.
   */
  readerOf(writerSchema: AvroSchema, fingerprint = fingerprintOf(writerSchema)): BodyReader {
    let reader = this.#readers.get(fingerprint);
    if (!reader) {
      reader = this.#reader(this.#resolve(writerSchema));
      this.#readers.set(fingerprint, reader);
    }
    return reader;
  }

  /** avsc's name of a field's type, `logical:uuid` for one; undefined where there is no such field. */
  fieldType(field: string): string | undefined {
    return this.#type.fields?.find(({ name }) => name === field)?.type.typeName;
  }

  #resolve(writerSchema: AvroSchema): AvscResolver {
    const [problem] = meaningProblems(this.schema, writerSchema);
    if (problem) throw new UnreadableEventError(`${this.name}.${problem.path}: ${problem.reason}`);
    try {
      return this.#type.createResolver(avscType(writerSchema, false));
    } catch (cause) {
      throw new UnreadableEventError(
        `${this.name}: the schema it was written with can't be read as ours: ${messageOf(cause)}`,
        { cause },
      );
    }
  }

  #reader(resolver: AvscResolver | undefined): BodyReader {
    return (body) => {
      try {
        return this.#type.fromBuffer(body, resolver) as object;
      } catch (cause) {
        throw new UnreadableEventError(
          `${this.name}: a body of ${body.length} bytes can't be read: ${messageOf(cause)}`,
          { cause },
        );
      }
    };
  }

  #invalid(payload: unknown): InvalidPayloadError {
    const problems = payloadProblems(this.#type, payload);
    // isValid said no: a payload without a found path is still refused, and the message says where to look.
    if (problems.length === 0) problems.push({ path: '', reason: 'does not fit its schema' });
    return new InvalidPayloadError(
      this.name,
      problems.slice(0, MAX_PROBLEMS),
      problems.length > MAX_PROBLEMS,
    );
  }
}

const STRICT = { noUndeclaredFields: true };

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True when `schema` compiles under our rules; else the reason. For tools that check schemas. */
export function schemaProblem(schema: AvroSchema): string | undefined {
  try {
    return isType(avscType(schema, true), 'record') ? undefined : 'it is not a record';
  } catch (error) {
    return messageOf(error);
  }
}
