import { parseEventHeaders, type Contracts, type EventEnvelope, type SchemaRegistry } from '@aura/contracts';
import type { LogRecord } from '@aura/event-log';
import { InvariantError, kindOf } from '@aura/platform';
import { standInId, type Delivery } from './delivery.js';
import type { Handlers } from './handlers.js';
import { refuseFutureId } from './inbox-days.js';

export interface ReadingContext {
  readonly contracts: Contracts;
  readonly registry: Pick<SchemaRegistry, 'schemaById'>;
  readonly handlers: Handlers;
}

/**
 * Decodes a record that some handler wants. One that can't be read is not thrown but refused, to be parked
 * in sight: bad headers, an id of the future, bytes or a schema that don't fit. Rejects only with what may
 * pass by itself: the registry is away.
 */
export async function readRecord(context: ReadingContext, record: LogRecord, now: Date): Promise<Delivery> {
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
