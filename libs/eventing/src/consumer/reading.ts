import { parseEventHeaders, type Contracts, type EventEnvelope, type SchemaRegistry } from '@aura/contracts';
import type { LogRecord } from '@aura/event-log';
import { InvariantError, kindOf, TerminalError } from '@aura/platform';
import { isStorableKey, MAX_KEY_BYTES, standInId, standInKey, type Delivery } from './delivery.js';
import type { Handlers } from './handlers.js';
import { refuseFutureId } from './inbox-days.js';

export interface ReadingContext {
  readonly contracts: Contracts;
  readonly registry: Pick<SchemaRegistry, 'schemaById'>;
  readonly handlers: Handlers;
}

/**
 * Decodes a record that some handler wants. One that can't be read is not thrown but refused, to be parked
 * in sight: bad headers, an id of the future, bytes or a schema that don't fit, a key that no row takes (it
 * gets a stand-in: a letter that can't be written would stop the whole member, E6). Rejects only with what
 * may pass by itself: the registry is away.
 */
export async function readRecord(context: ReadingContext, record: LogRecord, now: Date): Promise<Delivery> {
  return isStorableKey(record.key) ? readWhole(context, record, now) : unstorable(record);
}

/** The same whatever its key: for what no row has to take any more. */
export async function readWhole(context: ReadingContext, record: LogRecord, now: Date): Promise<Delivery> {
  let id: string | undefined;
  try {
    const headers = parseEventHeaders(record.headers);
    refuseFutureId(headers.id, now);
    id = headers.id;
    return { record, id, event: await envelopeOf(context, record, headers) };
  } catch (error) {
    if (kindOf(error) === 'transient') throw error;
    return { record, id: id ?? standInId(record), refusal: error };
  }
}

/** Under the id of its place: nothing else of the record is looked at. */
function unstorable(record: LogRecord): Delivery {
  const refusal = new TerminalError(
    `the key of ${record.topic}/${record.partition} at ${record.offset} can’t be stored: it has more than ` +
      `${MAX_KEY_BYTES} bytes, a zero character or half a character. Its letter carries a stand-in: ` +
      'correct its producer',
  );
  return { record: { ...record, key: standInKey(record.key) }, id: standInId(record), refusal };
}

async function envelopeOf(
  { contracts, registry, handlers }: ReadingContext,
  record: LogRecord,
  headers: ReturnType<typeof parseEventHeaders>,
): Promise<EventEnvelope> {
  const [handler] = handlers.of(headers.type);
  if (!handler) throw new InvariantError(`${headers.type} has no handler`);
  const { fingerprint, ...described } = headers;
  const decoded = contracts.decode(handler.type, record.value, registry, fingerprint);
  // Only an unknown writer's schema is a promise: 500 awaits of plain values would be 500 turns of the loop.
  const payload = decoded instanceof Promise ? await decoded : decoded;
  const { topic, partition, offset, key } = record;
  return { ...described, key, payload, topic, partition, offset, headers: record.headers };
}
