import { isUuidV7 } from './event-id.js';
import { UnreadableEventError } from './errors.js';
import { HEADER } from './event.js';

/** What an outbox row and its schema say of an event that is about to be published. */
export interface PublishedEvent {
  readonly id: string;
  /** Full name of the record. */
  readonly type: string;
  /** The publishing service. */
  readonly source: string;
  readonly key: string;
  readonly time: Date;
  /** Position in the outbox. */
  readonly sequence: bigint;
  /** Of the schema that the body was written with. */
  readonly fingerprint: string;
  /** Kept with the row: trace, correlation, causation; `replayid` when a replay publishes it. */
  readonly carried: Readonly<Record<string, string>>;
}

/** What the headers of a record say. */
export interface EventHeaders {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly time: Date;
  readonly sequence: bigint | undefined;
  /** Of the schema that the body was written with; undefined on foreign records. */
  readonly fingerprint: string | undefined;
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  readonly replayId: string | undefined;
}

const SCHEMA_URN = 'urn:aura:schema:';
const FINGERPRINT = /^[0-9a-f]{16}$/;

/** Headers of an event: CloudEvents 1.0 Kafka binding, binary mode, and what its row carried. */
export function cloudEventHeaders(event: PublishedEvent): Record<string, string> {
  return {
    ...event.carried,
    [HEADER.specVersion]: '1.0',
    [HEADER.id]: event.id,
    [HEADER.type]: event.type,
    [HEADER.source]: event.source,
    [HEADER.time]: event.time.toISOString(),
    [HEADER.subject]: event.key,
    [HEADER.sequence]: event.sequence.toString(),
    [HEADER.dataSchema]: SCHEMA_URN + event.fingerprint,
    [HEADER.contentType]: 'application/avro',
  };
}

/**
 * The other way. Throws `UnreadableEventError` that names every header that is missing or malformed; an id
 * that is no UUIDv7 is one of them. Unknown headers are let through: they stay in the envelope's `headers`.
 */
export function parseEventHeaders(headers: Readonly<Record<string, string>>): EventHeaders {
  const wrong: string[] = [];
  const read = (name: string, valid: (text: string) => boolean, required: boolean): string | undefined => {
    const text = headers[name];
    if (text === undefined ? required : !valid(text))
      wrong.push(
        text === undefined ? `${name} is missing` : `${name} is ${JSON.stringify(text.slice(0, 80))}`,
      );
    return text;
  };
  read(HEADER.specVersion, (text) => text === '1.0', true);
  const id = read(HEADER.id, isUuidV7, true);
  const type = read(HEADER.type, (text) => text !== '', true);
  const source = read(HEADER.source, (text) => text !== '', true);
  const time = read(HEADER.time, (text) => !Number.isNaN(Date.parse(text)), true);
  const sequence = read(HEADER.sequence, (text) => /^\d{1,19}$/.test(text), false);
  const dataSchema = headers[HEADER.dataSchema];
  const fingerprint = dataSchema?.startsWith(SCHEMA_URN) ? dataSchema.slice(SCHEMA_URN.length) : undefined;
  if (fingerprint !== undefined && !FINGERPRINT.test(fingerprint))
    wrong.push(`${HEADER.dataSchema} is malformed`);
  if (wrong.length > 0) throw new UnreadableEventError(`not an event of ours: ${wrong.join('; ')}`);
  return {
    id: id as string,
    type: type as string,
    source: source as string,
    time: new Date(time as string),
    sequence: sequence === undefined ? undefined : BigInt(sequence),
    fingerprint,
    correlationId: headers[HEADER.correlationId],
    causationId: headers[HEADER.causationId],
    replayId: headers[HEADER.replayId],
  };
}
