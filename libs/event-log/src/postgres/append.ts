/**
 * Writing to the log.
 *
 * - A1 one statement per batch, so a batch is in the log whole or not at all.
 * - A2 partition rows are locked in the order (topic, partition): two appenders never wait for each other in
 *   a ring (H32).
 * - A3 offsets are taken under those locks, which are held until commit: they are gapless and in commit
 *   order.
 * - A4 one NOTIFY per batch, each topic named once: commits that notify queue behind one another in a
 *   database.
 */
import { type Queryable, run, statement } from '@aura/platform';
import type { Lane } from '../admission.js';
import type { NewRecord, PartitionAck } from '../event-log.js';
import { RECORDS_CHANNEL, topicsPayload } from './wake-up.js';

/**
 * $1, $2, $3: topic, partition and count of each lane; $4: each record's lane (from 1); $5, $6, $7: key,
 * value, headers; $8: channel and $9: payload of the NOTIFY.
 */
const APPEND = statement(
  'record_append_batch',
  `with lane as (
     select *
       from unnest($1::text[], $2::int[], $3::int[]) with ordinality as l(topic, partition, count, lane)
   ), locked as materialized (
     select p.id, p.next, l.lane, l.count, greatest(p.last_at, clock_timestamp()) as at
       from aura_log.partition p join lane l using (topic, partition)
      order by p.topic, p.partition
        for update of p
   ), taken as (
     update aura_log.partition p set next = k.next + k.count, last_at = k.at
       from locked k where p.id = k.id
   ), stored as (
     insert into aura_log.record (partition_id, "offset", key, value, headers, appended_at)
     select k.id, k.next + row_number() over (partition by m.lane order by m.ord) - 1,
            m.key, m.value, m.headers, k.at
       from unnest($4::int[], $5::text[], $6::bytea[], $7::json[])
              with ordinality as m(lane, key, value, headers, ord)
       join locked k on k.lane = m.lane
   )
   select lane::int as lane, next as first_offset, (select pg_notify($8, $9)) from locked`,
);

/**
 * Appends the records of `lanes` in one statement.
 *
 * Gives the lanes that were taken; one that is missing has no partition row any more (the log's database was
 * replaced). A connection lost before the answer leaves the outcome unknown: the caller may append again,
 * readers drop by event id.
 */
export async function appendLanes(
  client: Queryable,
  records: readonly NewRecord[],
  lanes: readonly Lane[],
): Promise<PartitionAck[]> {
  const order = lanes.flatMap((lane, at) =>
    lane.indexes.map((index) => ({ record: records[index], lane: at + 1 })),
  );
  const taken = await run<{ lane: number; first_offset: string }>(client, APPEND, [
    lanes.map((lane) => lane.topic),
    lanes.map((lane) => lane.partition),
    lanes.map((lane) => lane.indexes.length),
    order.map(({ lane }) => lane),
    order.map(({ record }) => record?.key),
    order.map(({ record }) => record?.value),
    order.map(({ record }) => JSON.stringify(record?.headers)),
    RECORDS_CHANNEL,
    topicsPayload(new Set(lanes.map((lane) => lane.topic))),
  ]);
  return taken.flatMap(({ lane, first_offset }) => {
    const named = lanes[lane - 1];
    return named ? [{ ...named, firstOffset: BigInt(first_offset) }] : [];
  });
}
