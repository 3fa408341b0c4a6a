/**
 * Looks at outbox and topics for time-went-backwards.ts.
 *
 * Cost: bounds of each topic, the record at each mark, and of each partition's tail at most twice `window`
 * records, all partitions at once; a look at the outbox per 1,000 records. Past the bound it looks at the
 * first and the last `window` records of a tail: what a restored database has forgotten begins right behind
 * what was in flight at its backup, and ends at the topic's end unless a replay came after it. Only records
 * that were forgotten in between and nowhere else would be missed; the log says how many were not looked at.
 * Errors of log or database reject: the check is made again, nothing is concluded from half of one.
 */
import { HEADER, isUuidV7 } from '@aura/contracts';
import { UnknownTopicError, type EventLog, type LogRecord, type PartitionBounds } from '@aura/event-log';
import { run, statement, type Logger, type Queryable } from '@aura/platform';
import type { SavedCursor } from '../outbox/cursor.js';
import type { PartitionMark } from '../outbox/marks.js';
import {
  judge,
  type RaisedRecord,
  type SeenPartition,
  type SeenTopic,
  type Verdict,
} from './time-went-backwards.js';

export interface TimeCheckOptions {
  readonly log: EventLog;
  /** `ce_source`: the service. */
  readonly source: string;
  /** Topics that are looked at even where nothing of them is known: the service's own. */
  readonly topics: readonly string[];
  readonly logger: Logger;
  /** Records of a tail that are looked at from each of its ends. */
  readonly window: number;
}

/** Rows first: positions that are drawn between the two are no finding. */
const POSITIONS = statement(
  'outbox_last_positions',
  `with highest as materialized (select coalesce(max(position), 0)::text as row from aura.outbox)
   select row as highest_row, coalesce(pg_sequence_last_value(name::regclass), 0)::text as sequence
     from highest cross join pg_get_serial_sequence('aura.outbox', 'position') as name`,
);
/** By position and id, within the days of $3 to $4: partitions of other days are not touched. */
const KNOWN = statement(
  'outbox_find_published',
  `select seen.id::text as id
     from unnest($1::bigint[], $2::uuid[]) as seen(position, id)
    where exists (select from aura.outbox as o
                   where o.position = seen.position and o.event_id = seen.id
                     and o.raised_at between $3 and $4)`,
);
const LOOK_UP = 1_000;
/** `ce_time` has milliseconds, the column microseconds. */
const ROUNDED_MS = 1_000;

/** `db`: the leader's session. */
export async function checkTime(
  db: Queryable,
  cursor: Pick<SavedCursor, 'position' | 'acknowledged'>,
  options: TimeCheckOptions,
): Promise<Verdict> {
  const [positions] = await run<{ highest_row: string; sequence: string }>(db, POSITIONS);
  const marks = cursor.acknowledged;
  const names = [...new Set([...options.topics, ...marks.map((mark) => mark.topic)])];
  const topics = await Promise.all(
    names.map((topic) =>
      seeTopic(
        topic,
        marks.filter((mark) => mark.topic === topic),
        options,
      ),
    ),
  );
  const raised = topics.flatMap(({ partitions = [] }) => partitions.flatMap((of) => of.raised));
  return judge({
    sequence: BigInt(positions?.sequence ?? 0),
    highestRow: BigInt(positions?.highest_row ?? 0),
    position: cursor.position,
    marks,
    topics,
    known: await knownOf(db, raised),
  });
}

async function seeTopic(
  topic: string,
  marks: readonly PartitionMark[],
  options: TimeCheckOptions,
): Promise<SeenTopic> {
  let bounds: PartitionBounds[];
  try {
    bounds = await options.log.bounds(topic);
  } catch (error) {
    if (error instanceof UnknownTopicError) return { topic, partitions: undefined };
    throw error;
  }
  const markOf = (partition: number): PartitionMark | undefined =>
    marks.find((mark) => mark.partition === partition);
  const partitions = await Promise.all(
    bounds.map((of) => seePartition(topic, of, markOf(of.partition), options)),
  );
  return { topic, partitions };
}

async function seePartition(
  topic: string,
  { partition, first, end }: PartitionBounds,
  mark: PartitionMark | undefined,
  { log, source, logger, window }: TimeCheckOptions,
): Promise<SeenPartition> {
  const bounds = { partition, first, end };
  if (mark && mark.offset >= end) return { ...bounds, atMark: undefined, raised: [], highest: 0n };
  const markKept = mark !== undefined && mark.offset >= first;
  const start = markKept ? mark.offset : first;
  const tail = mark && mark.offset >= first ? mark.offset + 1n : first;
  const size = BigInt(window);
  const split = end - tail > 2n * size;
  const records: LogRecord[] = [];
  for await (const record of log.scan(topic, partition, start, split ? tail + size : end))
    records.push(record);
  if (split) {
    for await (const record of log.scan(topic, partition, end - size, end)) records.push(record);
    const unseen = String(end - tail - 2n * size);
    logger.warn({ topic, partition, unseen }, 'relay: a tail is too long to be looked at as a whole');
  }
  const atMark = records.find((record) => mark && record.offset === mark.offset);
  const positions = records.map((record) => positionOf(record, source) ?? 0n);
  return {
    ...bounds,
    atMark: markKept ? ((atMark && positionOf(atMark, source)) ?? null) : undefined,
    raised: records.filter((record) => record.offset >= tail).flatMap((record) => raisedOf(record, source)),
    highest: positions.reduce((most, one) => (one > most ? one : most), 0n),
  };
}

/** Undefined for records that are not ours. */
function positionOf({ headers }: LogRecord, source: string): bigint | undefined {
  const sequence = headers[HEADER.sequence];
  return headers[HEADER.source] === source && sequence !== undefined && /^\d{1,19}$/.test(sequence)
    ? BigInt(sequence)
    : undefined;
}

/** Of a record that a relay of `source` has published; nothing for any other. */
export function raisedOf(record: LogRecord, source: string): RaisedRecord[] {
  const { headers, offset } = record;
  const [sequence, eventId] = [positionOf(record, source), headers[HEADER.id]];
  const raisedAtMs = Date.parse(headers[HEADER.time] ?? '');
  if (sequence === undefined || eventId === undefined || headers[HEADER.replayId] !== undefined) return [];
  if (!isUuidV7(eventId) || Number.isNaN(raisedAtMs)) return []; // written by somebody else in our name
  return [{ offset, eventId, sequence, raisedAtMs }];
}

/** Ids of those that the outbox has at their positions. */
export async function knownOf(db: Queryable, raised: readonly RaisedRecord[]): Promise<Set<string>> {
  const known = new Set<string>();
  for (let at = 0; at < raised.length; at += LOOK_UP) {
    const some = raised.slice(at, at + LOOK_UP);
    const times = some.map(({ raisedAtMs }) => raisedAtMs);
    const found = await run<{ id: string }>(db, KNOWN, [
      some.map(({ sequence }) => String(sequence)),
      some.map(({ eventId }) => eventId),
      new Date(Math.min(...times) - ROUNDED_MS),
      new Date(Math.max(...times) + ROUNDED_MS),
    ]);
    for (const { id } of found) known.add(id);
  }
  return known;
}
