/**
 * What this service has published and its database does not know: it was restored from a backup, or failed
 * over with a loss (E10, `database-went-back`). For libs that can take back what they said there.
 *
 * Looks at every record past the relay's marks, not only at the ends of a long tail as the relay's own check
 * does, 500 at a time. Records that a replay published are left out: they are repeats.
 */
import {
  parseEventHeaders,
  type Contracts,
  type EventEnvelope,
  type EventType,
  type SchemaRegistry,
} from '@aura/contracts';
import { UnknownTopicError, type EventLog, type LogRecord, type PartitionBounds } from '@aura/event-log';
import { run, statement, type Queryable } from '@aura/platform';
import { markFromColumns, type MarkColumns } from '../outbox/marks.js';
import { knownOf, raisedOf } from './time-check.js';

export interface ForgottenOptions {
  readonly db: Queryable;
  readonly log: Pick<EventLog, 'bounds' | 'scan'>;
  readonly registry: Pick<SchemaRegistry, 'schemaById'>;
  readonly contracts: Pick<Contracts, 'decode'>;
  /** `ce_source`: the service. */
  readonly source: string;
  /** Its own one. */
  readonly topic: string;
}

const MARKS = statement('relay_cursor_marks', 'select acknowledged from aura.relay_cursor');
const AT_ONCE = 500;

/**
 * Forgotten events of `types`, in the order of each partition. Throws what log, registry and database throw,
 * and `UnreadableEventError`: what was read until then can be read again.
 */
export async function* forgottenEvents(
  options: ForgottenOptions,
  types: readonly EventType[],
): AsyncGenerator<readonly EventEnvelope[]> {
  const { db, log, topic } = options;
  const byName = new Map(types.map((type) => [type.name, type]));
  const [row] = await run<{ acknowledged: readonly MarkColumns[] }>(db, MARKS);
  const marks = new Map(
    (row?.acknowledged ?? [])
      .map(markFromColumns)
      .filter((mark) => mark.topic === topic)
      .map((mark) => [mark.partition, mark.offset + 1n]),
  );
  for (const { partition, first, end } of await boundsOf(log, topic)) {
    const from = marks.get(partition) ?? first;
    let some: LogRecord[] = [];
    if (from >= end) continue;
    for await (const record of log.scan(topic, partition, from < first ? first : from, end)) {
      some.push(record);
      if (some.length < AT_ONCE) continue;
      yield await forgottenOf(options, byName, some);
      some = [];
    }
    yield await forgottenOf(options, byName, some);
  }
}

/** A topic that is not there has forgotten more than we have. */
async function boundsOf(log: Pick<EventLog, 'bounds'>, topic: string): Promise<PartitionBounds[]> {
  try {
    return await log.bounds(topic);
  } catch (error) {
    if (error instanceof UnknownTopicError) return [];
    throw error;
  }
}

async function forgottenOf(
  options: ForgottenOptions,
  types: ReadonlyMap<string, EventType>,
  records: readonly LogRecord[],
): Promise<EventEnvelope[]> {
  const raised = records.flatMap((record) => raisedOf(record, options.source));
  const known = await knownOf(options.db, raised);
  const gone = new Set(raised.filter(({ eventId }) => !known.has(eventId)).map(({ offset }) => offset));
  const events: EventEnvelope[] = [];
  for (const record of records.filter(({ offset }) => gone.has(offset))) {
    const { fingerprint, ...described } = parseEventHeaders(record.headers);
    const type = types.get(described.type);
    if (!type) continue;
    const payload = await options.contracts.decode(type, record.value, options.registry, fingerprint);
    const { topic, partition, offset, key, headers } = record;
    events.push({ ...described, key, payload, topic, partition, offset, headers });
  }
  return events;
}
