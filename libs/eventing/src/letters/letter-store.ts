/** Sequenced dead letters: the only statements on `aura.parked_key` and `aura.letter`. */
import { run, statement, type Queryable } from '@aura/platform';
import { laneKey, storableText, type Lane } from '../consumer/delivery.js';
import type { ErrorRecord } from './error-record.js';
import type { NewLetter, ParkedMark, ParkedState } from './parking.js';

/**
 * A statement of its own, after the inbox insert (H13): its snapshot is taken when that insert no longer
 * waits for anybody. In order, so that two units don't deadlock. A row that was deleted while this waited
 * for its lock is not given: free.
 */
const LOCK_PARKED = statement(
  'parked_key_lock',
  `select topic, key from aura.parked_key
    where consumer_group = $1 and (topic, key) in (select * from unnest($2::text[], $3::text[]))
    order by topic, key
      for update`,
);

const MARK = statement(
  'parked_key_insert',
  `insert into aura.parked_key (consumer_group, topic, key, state)
   select $1, topic, key, state from unnest($2::text[], $3::text[], $4::text[]) as m(topic, key, state)
    order by topic, key
       on conflict do nothing`,
);

/** Letters of one key leave in the order of their ids: arrival order. */
const INSERT = statement(
  'letter_insert',
  `insert into aura.letter
          (consumer_group, topic, key, partition, log_offset, event_id, type, value, headers, error, attempts)
   select $1, topic, key, partition, log_offset, event_id, type, value, headers::jsonb, error::jsonb, attempts
     from unnest($2::text[], $3::text[], $4::int[], $5::bigint[], $6::uuid[], $7::text[], $8::bytea[],
                 $9::text[], $10::text[], $11::int[])
          with ordinality
          as l(topic, key, partition, log_offset, event_id, type, value, headers, error, attempts, ordinal)
    order by ordinal`,
);

const PARKED = statement(
  'parked_key_list',
  `select k.topic, k.key, k.state, k.parked_at,
          l.event_id, l.type, l.partition, l.log_offset, l.error, l.attempts,
          (select count(*) from aura.letter w
            where w.consumer_group = k.consumer_group and w.topic = k.topic and w.key = k.key) - 1 as waiting
     from aura.parked_key k
    cross join lateral (
      select * from aura.letter
       where consumer_group = k.consumer_group and topic = k.topic and key = k.key
       order by id limit 1) l
    where k.consumer_group = $1
    order by k.parked_at, k.topic, k.key
    limit $2`,
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

/**
 * Locks the marks of these lanes until the end of the transaction; gives those that are parked (`laneKey`).
 */
export async function lockParked(db: Queryable, group: string, lanes: readonly Lane[]): Promise<Set<string>> {
  const rows = await run<{ topic: string; key: string }>(db, LOCK_PARKED, [
    group,
    lanes.map((lane) => lane.topic),
    lanes.map((lane) => lane.key),
  ]);
  return new Set(rows.map(laneKey));
}

/** Parks keys and writes what waits, in order. The caller holds the marks' locks, or makes them here. */
export async function park(
  db: Queryable,
  group: string,
  marks: readonly ParkedMark[],
  letters: readonly NewLetter[],
): Promise<void> {
  if (marks.length > 0)
    await run(db, MARK, [
      group,
      marks.map((m) => m.topic),
      marks.map((m) => m.key),
      marks.map((m) => m.state),
    ]);
  const records = letters.map((letter) => letter.delivery.record);
  await run(db, INSERT, [
    group,
    records.map((r) => r.topic),
    records.map((r) => r.key),
    records.map((r) => r.partition),
    records.map((r) => r.offset.toString()),
    letters.map((l) => l.delivery.id),
    records.map((r) => r.headers['ce_type'] ?? ''),
    records.map((r) => r.value),
    records.map((r) => storable(r.headers)),
    letters.map((l) => (l.error ? storable(l.error) : null)),
    letters.map((l) => l.attempts),
  ]);
}

/** The keys of `group` that stand still, longest first; at most `limit`. */
export async function listParked(db: Queryable, group: string, limit = 100): Promise<ParkedKey[]> {
  interface Row extends Record<string, unknown> {
    topic: string;
    key: string;
    state: ParkedState;
    parked_at: Date;
    event_id: string;
    type: string;
    partition: number;
    log_offset: string;
    error: ErrorRecord | null;
    attempts: number;
    waiting: string;
  }
  const rows = await run<Row>(db, PARKED, [group, limit]);
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
    waiting: Number(row.waiting),
  }));
}

/** JSON that `jsonb` takes whatever a stranger put in: a letter must not fail because of its own error. */
function storable(fields: object): string {
  return JSON.stringify(
    Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [
        storableText(name),
        typeof value === 'string' ? storableText(value) : value,
      ]),
    ),
  );
}
