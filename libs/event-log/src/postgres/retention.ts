/**
 * Deleting what is past its time.
 *
 * - T1 `first` moves in the transaction that deletes, under the partition row's lock: a reader's snapshot has
 *   both or none.
 * - T2 where to cut is read after the lock was taken, in a later snapshot: what was appended meanwhile is
 *   seen (P1).
 * - T3 a batch is bounded, because appends to the partition wait while it runs.
 */
import { type Queryable, run, statement } from '@aura/platform';
import type { Database } from './database.js';

/** Records deleted under one lock. */
const BATCH = 1_000;

const DUE = statement(
  'partition_select_retained',
  `select p.id from aura_log.topic t join aura_log.partition p on p.topic = t.name
    where t.retention_ms is not null and p.first < p.next order by p.id`,
);
/** Another process is at it, or an append: the next round comes. */
const LOCK = statement(
  'partition_lock_one',
  `select id from aura_log.partition where id = $1 for update skip locked`,
);
const CUT_BY_TIME = statement(
  'record_find_cut',
  `select coalesce((select r."offset" from aura_log.record r
                     where r.partition_id = p.id
                       and r.appended_at >= clock_timestamp() - t.retention_ms * interval '1 ms'
                     order by r.appended_at, r."offset" limit 1), p.next) as upto
     from aura_log.partition p join aura_log.topic t on t.name = p.topic where p.id = $1`,
);
const DELETE = statement(
  'record_delete_batch',
  `with cut as (
     select id, least(first + $3::int, least($2::bigint, next)) as upto, first
       from aura_log.partition where id = $1
   ), gone as (
     delete from aura_log.record r using cut
      where r.partition_id = cut.id and r."offset" >= cut.first and r."offset" < cut.upto
   )
   update aura_log.partition p set first = cut.upto from cut where p.id = cut.id and cut.upto > p.first
   returning cut.upto - cut.first as deleted, cut.upto < least($2::bigint, p.next) as more`,
);
const FIND = statement(
  'partition_select_id',
  `select id from aura_log.partition where topic = $1 and partition = $2`,
);

/** Deletes what the topics' retention has passed, in bounded batches. Gives how many records went. */
export async function applyRetention(database: Database, signal: AbortSignal): Promise<number> {
  const due = await database.use('list partitions with retention', (client) =>
    run<{ id: number }>(client, DUE),
  );
  let deleted = 0;
  for (const { id } of due) {
    for (let more = true; more && !signal.aborted;) {
      const batch = await database.transaction('apply retention', (client) =>
        deleteBatch(client, id, async () => {
          const [cut] = await run<{ upto: string }>(client, CUT_BY_TIME, [id]);
          return BigInt(cut?.upto ?? 0);
        }),
      );
      deleted += batch.deleted;
      more = batch.more;
    }
  }
  return deleted;
}

/**
 * Deletes the records of one partition before `before`, as Kafka's DeleteRecords. False where the partition
 * is unknown.
 */
export async function deleteBefore(
  database: Database,
  topic: string,
  partition: number,
  before: bigint,
): Promise<boolean> {
  const [found] = await database.use('find the partition', (client) =>
    run<{ id: number }>(client, FIND, [topic, partition]),
  );
  if (!found) return false;
  for (let more = true; more;)
    ({ more } = await database.transaction('delete records', (client) =>
      deleteBatch(client, found.id, () => Promise.resolve(before)),
    ));
  return true;
}

async function deleteBatch(
  client: Queryable,
  id: number,
  cut: () => Promise<bigint>,
): Promise<{ deleted: number; more: boolean }> {
  const locked = await run(client, LOCK, [id]);
  if (locked.length === 0) return { deleted: 0, more: false };
  const [row] = await run<{ deleted: string; more: boolean }>(client, DELETE, [id, await cut(), BATCH]);
  return { deleted: Number(row?.deleted ?? 0), more: row?.more ?? false };
}
