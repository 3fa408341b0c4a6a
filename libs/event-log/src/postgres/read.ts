/**
 * Reading from the log.
 *
 * - R1 one statement reads all partitions of a member: the bounds and the records in it are of one snapshot.
 * - R2 what it gives is a prefix of each partition's records from the asked position: the limits cut ranks,
 *   and rank n of a partition never comes without n - 1.
 * - R3 a partition that this member does not own any more is not in the answer (fence).
 * - R4 the work of a read grows with what it gives, not with what the log keeps.
 */
import { type Queryable, run, statement } from '@aura/platform';
import type { LogRecord, PartitionBounds, PartitionOffset, Position, TopicPartition } from '../event-log.js';

/**
 * $1 group, $2 member; $3, $4, $5: topic, partition, position; $6 most records, $7 most bytes.
 *
 * Offsets are gapless, so `next` tells which partitions have something: only they share the limit, and each
 * one's rows are a range of the primary key. The `limit` changes no result: it keeps the planner, which knows
 * nothing of a table that was empty a minute ago, from joining the table as a whole (12 partitions, 300k
 * rows: 350 ms instead of 10). `octet_length` does not fetch a value that is stored out of line.
 */
const READ = statement(
  'record_read_member',
  `with wanted as materialized (
     select w.ord, w.position, p.id, p.first, p.next
       from unnest($3::text[], $4::int[], $5::bigint[]) with ordinality as w(topic, partition, position, ord)
       join aura_log.assignment a
         on a.consumer_group = $1 and a.topic = w.topic and a.partition = w.partition and a.owner = $2::uuid
       join aura_log.partition p on p.topic = w.topic and p.partition = w.partition
   ), share as (
     select greatest(1, $6::int / greatest(1, count(*)))::bigint as rows
       from wanted where position >= first and position < next
   ), asked as materialized (
     select w.id, w.ord, w.position, w.position + s.rows as upto
       from wanted w cross join share s where w.position >= w.first and w.position < w.next
   ), found as (
     select a.ord, r."offset", r.key, r.value, r.headers, r.appended_at,
            row_number() over nearest as n,
            sum(octet_length(r.value) + octet_length(r.key) + octet_length(r.headers::text))
              over nearest as bytes
       from asked a cross join lateral (
              select * from aura_log.record r
               where r.partition_id = a.id and r."offset" >= a.position and r."offset" < a.upto
               order by r."offset" limit $6::int
            ) r
     window nearest as (order by r."offset" - a.position, a.ord rows unbounded preceding)
   )
   select w.ord::int as ord, w.first, w.next, f."offset", f.key, f.value, f.headers,
          (extract(epoch from f.appended_at) * 1000)::float8 as at_ms
     from wanted w left join found f
       on f.ord = w.ord and f.n <= $6::int and (f.n = 1 or f.bytes <= $7::bigint)
    order by w.ord, f."offset"`,
);

interface ReadRow {
  ord: number;
  first: string;
  next: string;
  offset: string | null;
  key: string;
  value: Buffer;
  headers: Record<string, string>;
  at_ms: number;
}

/** What one read found of one partition that the member owns. */
export interface Found {
  /** Index into the positions asked for. */
  readonly at: number;
  readonly first: bigint;
  readonly end: bigint;
  readonly records: LogRecord[];
}

export interface ReadLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/** Reads all `positions` of a member at once; see R1 to R3. The first record comes whatever its size. */
export async function readMember(
  client: Queryable,
  member: { readonly group: string; readonly id: string },
  positions: readonly Position[],
  limits: ReadLimits,
): Promise<Found[]> {
  const rows = await run<ReadRow>(client, READ, [
    member.group,
    member.id,
    positions.map((p) => p.topic),
    positions.map((p) => p.partition),
    positions.map((p) => p.offset),
    limits.maxRecords,
    limits.maxBytes,
  ]);
  const found = new Map<number, Found>();
  for (const row of rows) {
    const position = positions[row.ord - 1];
    if (!position) continue;
    let entry = found.get(row.ord);
    if (!entry) {
      entry = { at: row.ord - 1, first: BigInt(row.first), end: BigInt(row.next), records: [] };
      found.set(row.ord, entry);
    }
    if (row.offset !== null) entry.records.push(toRecord(position, row as ReadRow & { offset: string }));
  }
  return [...found.values()];
}

function toRecord(partition: TopicPartition, row: ReadRow & { offset: string }): LogRecord {
  return {
    topic: partition.topic,
    partition: partition.partition,
    offset: BigInt(row.offset),
    key: row.key,
    value: row.value,
    headers: row.headers,
    timestampMs: Math.floor(row.at_ms),
  };
}

const BOUNDS = statement(
  'partition_select_bounds',
  `select partition, first, next from aura_log.partition where topic = $1 order by partition`,
);

/** Bounds of every partition; empty where the topic is unknown. */
export async function readBounds(client: Queryable, topic: string): Promise<PartitionBounds[]> {
  const rows = await run<{ partition: number; first: string; next: string }>(client, BOUNDS, [topic]);
  return rows.map((row) => ({
    partition: row.partition,
    first: BigInt(row.first),
    end: BigInt(row.next),
  }));
}

const OFFSETS_AT = statement(
  'record_find_offset_at',
  `select p.partition, coalesce(r."offset", p.next) as "offset"
     from aura_log.partition p left join lateral (
            select "offset" from aura_log.record
             where partition_id = p.id and appended_at >= $2 order by appended_at, "offset" limit 1
          ) r on true
    where p.topic = $1 order by p.partition`,
);

/**
 * First offset at or after `time` of every partition (P3: times never fall); empty where the topic is
 * unknown.
 */
export async function readOffsetsAt(
  client: Queryable,
  topic: string,
  time: Date,
): Promise<PartitionOffset[]> {
  const rows = await run<{ partition: number; offset: string }>(client, OFFSETS_AT, [topic, time]);
  return rows.map((row) => ({ partition: row.partition, offset: BigInt(row.offset) }));
}

/** $1, $2 partition; $3 from; $4 to; $5 most records; $6 most bytes. */
const PAGE = statement(
  'record_read_page',
  `with p as materialized (
     select id, first, next from aura_log.partition where topic = $1 and partition = $2
   ), found as (
     select r.*, row_number() over nearest as n,
            sum(octet_length(r.value) + octet_length(r.key) + octet_length(r.headers::text))
              over nearest as bytes
       from p cross join lateral (
              select * from aura_log.record r
               where r.partition_id = p.id and r."offset" >= $3::bigint and r."offset" < $4::bigint
               order by r."offset" limit $5::int
            ) r
     window nearest as (order by r."offset" rows unbounded preceding)
   )
   select 1 as ord, p.first, p.next, f."offset", f.key, f.value, f.headers,
          (extract(epoch from f.appended_at) * 1000)::float8 as at_ms
     from p left join found f on f.n = 1 or f.bytes <= $6::bigint
    order by f."offset"`,
);

/**
 * One page of a partition, with the bounds of the same snapshot; undefined where the partition is unknown.
 */
export async function readPage(
  client: Queryable,
  from: Position,
  to: bigint,
  limits: ReadLimits,
): Promise<Found | undefined> {
  const rows = await run<ReadRow>(client, PAGE, [
    from.topic,
    from.partition,
    from.offset,
    to,
    limits.maxRecords,
    limits.maxBytes,
  ]);
  const [head] = rows;
  if (!head) return undefined;
  return {
    at: 0,
    first: BigInt(head.first),
    end: BigInt(head.next),
    records: rows.flatMap((row) =>
      row.offset === null ? [] : [toRecord(from, row as ReadRow & { offset: string })],
    ),
  };
}
