import { parseEventHeaders, type Contracts, type EventEnvelope, type SchemaRegistry } from '@aura/contracts';
import type { LogRecord } from '@aura/event-log';
import { InvariantError, kindOf, TerminalError, TransientError } from '@aura/platform';
import { isStorableKey, laneKey, MAX_KEY_BYTES, standInId, standInKey, type Delivery } from './delivery.js';
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

/** What holds a partition back whose next record waits for the registry. */
export class SchemaAwayError extends TransientError {
  constructor({ topic, partition, offset }: LogRecord, cause: Error) {
    super(
      `the schema of ${topic}/${partition} at ${offset} can’t be asked for (${cause.message}): it is tried ` +
        'again by itself, other keys and partitions flow',
      { cause },
    );
  }
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

/** What one delivery's records are, as far as they can be read now. */
export interface Readings {
  /** In arrival order; of each key a contiguous part from its first record on (E2). */
  readonly deliveries: readonly Delivery[];
  /** Records whose schema can't be asked for now, and what follows them in their keys. */
  readonly putOff: readonly { readonly record: LogRecord; readonly error: unknown }[];
}

/**
 * Reads all of `records`. What waits for the registry holds back its own key only; each schema is asked for
 * once, side by side: a registry that is away costs one time-out.
 */
export async function readRecords(
  context: ReadingContext,
  records: readonly LogRecord[],
  now: Date,
): Promise<Readings> {
  const asking = { ...context, registry: askingOnce(context.registry) };
  const read = await Promise.all(
    records.map((record) => readRecord(asking, record, now).catch((error: unknown) => ({ record, error }))),
  );
  const deliveries: Delivery[] = [];
  const putOff: { record: LogRecord; error: unknown }[] = [];
  const waiting = new Map<string, unknown>();
  for (const one of read) {
    const lane = laneKey(one.record);
    const error = 'error' in one ? one.error : waiting.get(lane);
    if (error === undefined && !('error' in one)) deliveries.push(one);
    else {
      waiting.set(lane, error);
      putOff.push({ record: one.record, error });
    }
  }
  return { deliveries, putOff };
}

/** Parks a record that was not even decoded: its bytes may be what ends processes. */
export function refuseUnread(record: LogRecord, refusal: Error, now: Date): Delivery {
  if (!isStorableKey(record.key)) return unstorable(record);
  try {
    const { id } = parseEventHeaders(record.headers);
    refuseFutureId(id, now);
    return { record, id, refusal };
  } catch {
    // Its headers are not an event's either: what it did to its processes says more.
    return { record, id: standInId(record), refusal };
  }
}

function askingOnce(registry: ReadingContext['registry']): ReadingContext['registry'] {
  const asked = new Map<number, ReturnType<SchemaRegistry['schemaById']>>();
  return {
    schemaById(id) {
      const known = asked.get(id) ?? registry.schemaById(id);
      asked.set(id, known);
      return known;
    },
  };
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
  const type = handlers.typeOf(headers.type, record.topic);
  if (!type) throw new InvariantError(`${headers.type} of ${record.topic} has no handler`);
  const { id, source, time, sequence, correlationId, causationId, replayId } = headers;
  const decoded = contracts.decode(type, record.value, registry, headers.fingerprint);
  // Only an unknown writer's schema is a promise: 500 awaits of plain values would be 500 turns of the loop.
  const payload = decoded instanceof Promise ? await decoded : decoded;
  const { topic, partition, offset, key } = record;
  return {
    id,
    type: headers.type,
    source,
    time,
    sequence,
    correlationId,
    causationId,
    replayId,
    key,
    payload,
    topic,
    partition,
    offset,
    headers: record.headers,
  };
}
