/**
 * The positions of a group, in its service's database (H5): the only statements on `aura.consumer_offset`.
 *
 * P1 whoever is assigned a partition raises its epoch, and reads where to start in the same statement;
 * P2 a position is saved only under the epoch that its owner raised: a zombie's unit fails there, whole;
 * P3 rows are locked in order of topic and partition.
 */
import type { Position, TopicPartition } from '@aura/event-log';
import { ConflictError, run, statement, type Queryable } from '@aura/platform';

/** A position and the epoch under which its owner may move it. */
export interface OwnedPosition extends Position {
  readonly epoch: bigint;
}

/** Somebody else was assigned these partitions: whatever was under way for them is theirs to do. */
export class StaleOwnerError extends ConflictError {
  constructor(readonly partitions: readonly TopicPartition[]) {
    super(
      `another member owns ${partitions.map((p) => `${p.topic}/${p.partition}`).join(', ')} by now: ` +
        'this unit is rolled back, the new owner does it',
    );
  }
}

const KNOWN = statement(
  'consumer_offset_known',
  'select topic, partition from aura.consumer_offset where consumer_group = $1 and topic = any($2::text[])',
);

/** P1, P3. A partition without a row starts at $5. */
const TAKE = statement(
  'consumer_offset_take',
  `insert into aura.consumer_offset as o
          (consumer_group, topic, partition, next_offset, high_water, epoch, owner, released)
   select $1, topic, partition, start, start, 1, $2, false
     from unnest($3::text[], $4::int[], $5::bigint[]) as taken(topic, partition, start)
    order by topic, partition
       on conflict (consumer_group, topic, partition) do update
      set epoch = o.epoch + 1, owner = excluded.owner, released = false, changed_at = clock_timestamp()
   returning topic, partition, next_offset, epoch`,
);

/** P2, P3. Gives the partitions that were still ours. $6: given back in good order. */
const SAVE = statement(
  'consumer_offset_save',
  `with mine as materialized (
     select o.topic, o.partition, done.next_offset, done.epoch
       from aura.consumer_offset o
       join unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[])
            as done(topic, partition, next_offset, epoch)
         on o.topic = done.topic and o.partition = done.partition and o.epoch = done.epoch
      where o.consumer_group = $1
      order by o.topic, o.partition
        for update of o)
   update aura.consumer_offset o
      set next_offset = greatest(o.next_offset, mine.next_offset),
          high_water = greatest(o.high_water, mine.next_offset),
          released = $6, changed_at = clock_timestamp()
     from mine
    where o.consumer_group = $1 and o.topic = mine.topic and o.partition = mine.partition
      and o.epoch = mine.epoch
   returning o.topic, o.partition`,
);

/** The partitions of `topics` that this group has rows for. */
export function knownPartitions(
  db: Queryable,
  group: string,
  topics: readonly string[],
): Promise<TopicPartition[]> {
  return run<{ topic: string; partition: number }>(db, KNOWN, [group, topics]);
}

/** Takes partitions over from whoever had them. `starts`: where one without a row begins. */
export async function takePartitions(
  db: Queryable,
  group: string,
  owner: string,
  starts: readonly Position[],
): Promise<OwnedPosition[]> {
  interface Row {
    topic: string;
    partition: number;
    next_offset: string;
    epoch: string;
  }
  const rows = await run<Row & Record<string, unknown>>(db, TAKE, [
    group,
    owner,
    starts.map((s) => s.topic),
    starts.map((s) => s.partition),
    starts.map((s) => s.offset.toString()),
  ]);
  return rows.map(({ topic, partition, next_offset, epoch }) => ({
    topic,
    partition,
    offset: BigInt(next_offset),
    epoch: BigInt(epoch),
  }));
}

/**
 * Saves positions; none moves back. Throws `StaleOwnerError` naming those of another owner: roll the unit
 * back.
 */
export async function savePositions(
  db: Queryable,
  group: string,
  positions: readonly OwnedPosition[],
): Promise<void> {
  const saved = await save(db, group, positions, false);
  const stale = positions.filter(
    (p) => !saved.some((s) => s.topic === p.topic && s.partition === p.partition),
  );
  if (stale.length > 0) throw new StaleOwnerError(stale);
}

/**
 * Saves positions and says that nothing of these partitions is under way. Those of another owner are left
 * alone.
 */
export async function releasePartitions(
  db: Queryable,
  group: string,
  positions: readonly OwnedPosition[],
): Promise<void> {
  await save(db, group, positions, true);
}

function save(
  db: Queryable,
  group: string,
  positions: readonly OwnedPosition[],
  released: boolean,
): Promise<TopicPartition[]> {
  return run<{ topic: string; partition: number }>(db, SAVE, [
    group,
    positions.map((p) => p.topic),
    positions.map((p) => p.partition),
    positions.map((p) => p.offset.toString()),
    positions.map((p) => p.epoch.toString()),
    released,
  ]);
}
