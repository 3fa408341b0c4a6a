/** What is read of dead letters, and chosen by operators: beside letter-store.ts, which changes them. */
import { run, statement, type Queryable, type Statement } from '@aura/platform';
import type { Lane } from '../consumer/delivery.js';
import type { Letter, LetterSelection } from '../operations/operations.js';
import type { ErrorRecord } from './error-record.js';
import type { ParkedState } from './parking.js';

/** Of marks `k` and their heads `l`; $2 to $6 are a selection. */
const SELECTED = `
     from aura.parked_key k
    cross join lateral (
      select * from aura.letter
       where consumer_group = k.consumer_group and topic = k.topic and key = k.key
       order by id limit 1) l
    where k.consumer_group = $1
      and ($2::text is null or k.topic = $2) and ($3::text is null or k.key = $3)
      and ($4::text is null or l.type = $4) and ($5::text is null or l.error->>'name' = $5)
      and ($6::text is null or k.state = $6)`;

const LIST = statement(
  'parked_key_list',
  `select k.topic, k.key, k.state, k.parked_at, k.letters,
          l.event_id, l.type, l.partition, l.log_offset, l.error, l.attempts
   ${SELECTED}
    order by k.parked_at, k.topic, k.key
    limit $7`,
);

/** In the order of the marks' locks everywhere, behind a key ($7, $8). */
const PICK = statement(
  'parked_key_pick',
  `select k.topic, k.key, k.letters
   ${SELECTED}
      and (k.topic, k.key) > ($7, $8)
    order by k.topic, k.key
    limit $9
      for update of k`,
);

const OF_KEY = `from aura.letter where consumer_group = $1 and topic = $2 and key = $3 order by id limit $4`;

const HEADS = statement('letter_heads', `select id ${OF_KEY}`);

const QUEUE = statement(
  'letter_queue',
  `select id, partition, log_offset, event_id, type, value, headers, attempts, parked_at ${OF_KEY}`,
);

const SHOW = statement(
  'letter_show',
  `select event_id, type, partition, log_offset, parked_at, attempts, error, headers,
          octet_length(value) as bytes ${OF_KEY}`,
);

const FIND = statement(
  'letter_find',
  `select id, type, partition, log_offset,
          not exists (select from aura.letter h
                       where h.consumer_group = l.consumer_group and h.topic = l.topic and h.key = l.key
                         and h.id < l.id) as head
     from aura.letter l
    where consumer_group = $1 and topic = $2 and key = $3 and event_id = $4
    order by id limit 1`,
);

const TOTALS = statement(
  'parked_key_totals',
  `select state, count(*)::int as keys, sum(letters)::int as letters
     from aura.parked_key where consumer_group = $1 group by state`,
);

/** A key that stands still, as an operator sees it. */
export interface ParkedKey {
  readonly topic: string;
  readonly key: string;
  readonly state: ParkedState;
  readonly since: Date;
  /** The event at its head: why it waits. */
  readonly eventId: string;
  readonly type: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly error: ErrorRecord | undefined;
  readonly attempts: number;
  /** Events of the key behind it. */
  readonly waiting: number;
}

/** A letter as a redrive takes it. */
export interface QueuedLetter {
  /** Its place in the queue. */
  readonly id: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly eventId: string;
  readonly type: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly attempts: number;
  readonly parkedAt: Date;
}

/** The keys of `group` that stand still, longest first; at most `limit`. */
export async function listParked(
  db: Queryable,
  group: string,
  limit = 100,
  selection: LetterSelection = {},
): Promise<ParkedKey[]> {
  interface Row extends LetterRow {
    topic: string;
    key: string;
    state: ParkedState;
    letters: string;
    error: ErrorRecord | null;
  }
  const rows = await run<Row>(db, LIST, [...valuesOf(group, selection), limit]);
  return rows.map((row) => ({
    topic: row.topic,
    key: row.key,
    state: row.state,
    since: row.parked_at,
    eventId: row.event_id,
    type: row.type,
    partition: row.partition,
    offset: BigInt(row.log_offset),
    error: row.error ?? undefined,
    attempts: row.attempts,
    waiting: Math.max(Number(row.letters) - 1, 0),
  }));
}

/** Locks the first keys of a selection behind `after`, for this transaction; gives their counts. */
export async function pickParked(
  db: Queryable,
  group: string,
  selection: LetterSelection,
  after: Lane,
  limit: number,
): Promise<(Lane & { readonly letters: number })[]> {
  const values = [...valuesOf(group, selection), after.topic, after.key, limit];
  const rows = await run<{ topic: string; key: string; letters: string }>(db, PICK, values);
  return rows.map(({ topic, key, letters }) => ({ topic, key, letters: Number(letters) }));
}

/** The places of the first letters of a key. */
export async function headsOf(db: Queryable, group: string, lane: Lane, limit: number): Promise<string[]> {
  return (await run<{ id: string }>(db, HEADS, keyValues(group, lane, limit))).map((row) => row.id);
}

/** The first letters of a key, with what they carry. */
export async function queueOf(
  db: Queryable,
  group: string,
  lane: Lane,
  limit: number,
): Promise<QueuedLetter[]> {
  const rows = await letterRows<LetterRow & { id: string; value: Buffer }>(db, QUEUE, group, lane, limit);
  return rows.map((row) => ({
    id: row.id,
    partition: row.partition,
    offset: BigInt(row.log_offset),
    eventId: row.event_id,
    type: row.type,
    value: row.value,
    headers: row.headers,
    attempts: row.attempts,
    parkedAt: row.parked_at,
  }));
}

/** The first letters of a key, for people. */
export async function showLetters(
  db: Queryable,
  group: string,
  lane: Lane,
  limit: number,
): Promise<Letter[]> {
  interface Row extends LetterRow {
    error: ErrorRecord | null;
    bytes: number;
  }
  const rows = await letterRows<Row>(db, SHOW, group, lane, limit);
  return rows.map((row) => ({
    eventId: row.event_id,
    type: row.type,
    partition: row.partition,
    offset: BigInt(row.log_offset),
    parkedAt: row.parked_at,
    attempts: row.attempts,
    error: row.error ?? undefined,
    headers: row.headers,
    bytes: row.bytes,
  }));
}

/** One letter of a key by its event. */
export async function findLetter(
  db: Queryable,
  group: string,
  { topic, key }: Lane,
  eventId: string,
): Promise<{ id: string; type: string; partition: number; offset: string; head: boolean } | undefined> {
  interface Row extends Record<string, unknown> {
    id: string;
    type: string;
    partition: number;
    log_offset: string;
    head: boolean;
  }
  const [row] = await run<Row>(db, FIND, [group, topic, key, eventId]);
  return row && { ...row, offset: row.log_offset };
}

/** Parked keys and their letters, by state. */
export function totalsOf(
  db: Queryable,
  group: string,
): Promise<{ state: ParkedState; keys: number; letters: number }[]> {
  return run(db, TOTALS, [group]);
}

interface LetterRow extends Record<string, unknown> {
  event_id: string;
  type: string;
  partition: number;
  log_offset: string;
  headers: Record<string, string>;
  attempts: number;
  parked_at: Date;
}

function letterRows<R extends LetterRow>(
  db: Queryable,
  of: Statement,
  group: string,
  lane: Lane,
  limit: number,
): Promise<R[]> {
  return run<R>(db, of, keyValues(group, lane, limit));
}

function keyValues(group: string, { topic, key }: Lane, limit: number): unknown[] {
  return [group, topic, key, limit];
}

function valuesOf(group: string, { topic, key, type, error, state }: LetterSelection): unknown[] {
  return [group, topic ?? null, key ?? null, type ?? null, error ?? null, state ?? null];
}
