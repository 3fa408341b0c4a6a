import { InvariantError } from '@aura/platform';
import { LRUCache } from 'lru-cache';
import { AvroCodec, type BodyReader } from './avro.js';
import { EventTooLargeError, InvalidPayloadError, UnreadableEventError } from './errors.js';
import type { AvroSchema, EventType, NewEvent } from './event.js';
import { fingerprintOf } from './fingerprint.js';
import { unframe } from './framing.js';
import type { SchemaRegistry } from './registry.js';

/** A key is part of indexes whose rows Postgres bounds; nobody's identifier is longer. */
const MAX_KEY_BYTES = 1_024;
const MAX_IDS = 1_024;

export interface ContractsOptions {
  /** The event types that this service raises. */
  readonly publishes: readonly EventType[];
  /** The event types that it handles. May overlap. */
  readonly subscribes: readonly EventType[];
  /** Largest body, in bytes. Default 900,000: with frame and headers below Kafka's default of 1,048,588. */
  readonly maxBytes?: number;
}

/** An event as the outbox keeps it: its frame is put on when it is published. */
export interface EncodedEvent {
  /** Full name of the record. */
  readonly type: string;
  readonly topic: string;
  readonly subject: string;
  /** The key field's value as text: never empty. */
  readonly key: string;
  /** Of the schema that `body` was written with, 16 hex digits. */
  readonly fingerprint: string;
  /** Avro, without a frame. */
  readonly body: Buffer;
}

/**
 * A schema that bodies were written with: kept beside the outbox, so that rows can be framed after an
 * upgrade.
 */
export interface SchemaDefinition {
  readonly fingerprint: string;
  readonly subject: string;
  readonly schema: AvroSchema;
}

/** One event type of a service, compiled. */
interface Contract {
  readonly type: EventType;
  readonly codec: AvroCodec;
  readonly keyIsUuid: boolean;
  /** By the registry's id, for records that do not name their schema's fingerprint. */
  readonly readerById: LRUCache<number, BodyReader>;
}

/**
 * All event types of one service, compiled once: what eventing encodes with when an event is raised, and
 * decodes with when it is handled. No I/O of its own; `decode` asks the given registry for a writer's
 * schema that it has not met.
 */
export class Contracts {
  readonly #byName = new Map<string, Contract>();
  readonly #published = new Set<string>();
  /** By name: the topics that it is read from, several for a `SharedEvent`. */
  readonly #subscribed = new Map<string, Set<string>>();
  readonly #maxBytes: number;

  /** Throws `InvariantError` when two different tokens have one name, and when a schema does not compile. */
  constructor({ publishes, subscribes, maxBytes = 900_000 }: ContractsOptions) {
    this.#maxBytes = maxBytes;
    for (const type of [...publishes, ...subscribes]) this.#add(type);
    for (const type of publishes) this.#published.add(type.name);
    for (const type of subscribes) {
      const topics = this.#subscribed.get(type.name) ?? new Set<string>();
      this.#subscribed.set(type.name, topics.add(type.topic));
    }
  }

  /** Topics of the subscribed types, sorted. */
  get topics(): readonly string[] {
    return [...new Set([...this.#subscribed.values()].flatMap((topics) => [...topics]))].toSorted();
  }

  /** Full names of the subscribed types, sorted. */
  get subscriptions(): readonly string[] {
    return [...this.#subscribed.keys()].toSorted();
  }

  /** The schemas that this program may write, to be stored before its first event. */
  definitions(): SchemaDefinition[] {
    return [...this.#published].map((name) => {
      const { type } = this.#contract(name);
      return { fingerprint: type.fingerprint, subject: type.subject, schema: type.schema };
    });
  }

  /**
   * Checks and encodes an event; nothing has been written when it throws: `InvalidPayloadError` names the
   * paths, `EventTooLargeError` the size, `InvariantError` an event type that the service did not declare.
   */
  encode(event: NewEvent): EncodedEvent {
    const { name, topic, subject, fingerprint } = event.type;
    const contract = this.#published.has(name) ? this.#byName.get(name) : undefined;
    if (!contract || contract.type.fingerprint !== fingerprint)
      throw new InvariantError(
        `${name} v${event.type.version} is not among the events that this service publishes`,
      );
    const body = contract.codec.encode(event.payload);
    const key = keyOf(contract, event.payload);
    if (body.length > this.#maxBytes) throw new EventTooLargeError(name, key, body.length, this.#maxBytes);
    return { type: name, topic, subject, key, fingerprint, body };
  }

  /**
   * The payload of a framed value, in the reader's own revision of `type`. A promise only where the
   * writer's schema has to be fetched: `const p = decode(...); const payload = p instanceof Promise ? await
   * p : p`.
   *
   * `fingerprint`, from the headers, decides which schema wrote the body: the id in the frame is only how
   * to ask for it, and an answer with another fingerprint is refused (H35). Throws, or rejects with,
   * `UnreadableEventError`, and what the registry throws.
   */
  decode(
    type: EventType,
    value: Buffer,
    registry: Pick<SchemaRegistry, 'schemaById'>,
    fingerprint?: string,
  ): object | Promise<object> {
    const contract = this.#contract(type.name);
    const { id, body } = unframe(value);
    const reader =
      fingerprint === undefined ? contract.readerById.get(id) : contract.codec.knownReader(fingerprint);
    return reader ? reader(body) : this.#decodeUnknown(contract, id, body, registry, fingerprint);
  }

  async #decodeUnknown(
    { type, codec, readerById }: Contract,
    id: number,
    body: Buffer,
    registry: Pick<SchemaRegistry, 'schemaById'>,
    fingerprint: string | undefined,
  ): Promise<object> {
    const schema = await registry.schemaById(id);
    const found = fingerprintOf(schema);
    if (fingerprint !== undefined && found !== fingerprint)
      throw new UnreadableEventError(
        `${type.name}: written with schema ${fingerprint}, but the registry's id ${id} is now ${found}: ` +
          'the registry was rebuilt; replay the event from its outbox',
      );
    const reader = codec.readerOf(schema, found);
    if (fingerprint === undefined) readerById.set(id, reader);
    return reader(body);
  }

  #contract(name: string): Contract {
    const contract = this.#byName.get(name);
    if (!contract) throw new InvariantError(`${name} is not among the events of this service`);
    return contract;
  }

  #add(type: EventType): void {
    const known = this.#byName.get(type.name);
    if (known && known.type.fingerprint !== type.fingerprint)
      throw new InvariantError(
        `two revisions of ${type.name} are declared (v${known.type.version}, v${type.version})`,
      );
    if (known) return;
    const codec = new AvroCodec(type.name, type.schema);
    const keyType = codec.fieldType(type.keyField);
    if (keyType === undefined)
      throw new InvariantError(`${type.name} has no field ${type.keyField} for its key`);
    const readerById = new LRUCache<number, BodyReader>({ max: MAX_IDS });
    this.#byName.set(type.name, { type, codec, keyIsUuid: keyType === 'logical:uuid', readerById });
  }
}

function keyOf({ type, keyIsUuid }: Contract, payload: object): string {
  const value = String((payload as Record<string, unknown>)[type.keyField]);
  const refuse = (reason: string): never => {
    throw new InvalidPayloadError(type.name, [{ path: type.keyField, reason }]);
  };
  if (value === '') refuse('it is the key: expected text, got ""');
  // Postgres can't hold it in text, so the outbox would refuse the row in the middle of its insert.
  if (value.includes('\0')) refuse('it is the key: it must not hold a zero byte');
  if (Buffer.byteLength(value) > MAX_KEY_BYTES) refuse(`it is the key: over ${MAX_KEY_BYTES} bytes`);
  return keyIsUuid ? value.toLowerCase() : value;
}
