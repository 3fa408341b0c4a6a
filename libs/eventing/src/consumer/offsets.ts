/**
 * The positions of a group, in its service's database (H5): the only statements on `aura.consumer_offset`.
 *
 * P1 whoever is assigned a partition raises its epoch, and reads where to start in the same statement;
 * P2 a position is saved only under the epoch that its owner raised: a zombie's unit fails there, whole;
 * P3 rows are locked in order of topic and partition;
 * P4 the first member that comes places all partitions of a topic: one without a row later is a partition
 *    that was added, or a row that was lost (E10);
 * P5 a start is noted before its unit begins, ends with the position that passes it, and is taken back by a
 *    process that lives (H21);
 * P6 an operator's change raises the epochs: units under way fail, and whoever holds a partition takes it
 *    again.
 */
import type { PartitionOffset, Position, TopicPartition } from '@aura/event-log';
import { ConflictError, run, statement, type Queryable } from '@aura/platform';
import { REFUSED, refusalDetail } from '../unit-of-work/refusal.js';
import type { NotedStart } from './slow-start.js';

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

/** A partition that was just taken over. */
export interface TakenPosition extends OwnedPosition {
  /** Highest offset that this group ever passed here. */
  readonly highWater: bigint;
  /** Slow start (slow-start.ts): how far an owner that ended without a release can have been. */
  readonly suspectUntil: bigint | undefined;
  /** End of a unit that was noted before it began, and has not ended. */
  readonly startedUntil: bigint | undefined;
}

const KNOWN = statement(
  'consumer_offset_known',
  'select topic, partition from aura.consumer_offset where consumer_group = $1 and topic = any($2::text[])',
);

/**
 * P4. Epoch 0 is nobody's; `released`, for nobody had it. A row that somebody else has placed meanwhile
 * stays.
 */
const PLACE = statement(
  'consumer_offset_place',
  `insert into aura.consumer_offset
          (consumer_group, topic, partition, next_offset, high_water, epoch, owner, released)
   select $1, topic, partition, start, start, 0, '', true
     from unnest($2::text[], $3::int[], $4::bigint[]) as placed(topic, partition, start)
    order by topic, partition
       on conflict do nothing`,
);

/**
 * P1, P3. A partition without a row is left out. $5: the end of the log in each; $6: records that one unit
 * has at most. What an owner that ended without a release can have had under way lies below both.
 */
const TAKE = statement(
  'consumer_offset_take',
  `with mine as materialized (
     select o.topic, o.partition, taken.log_end
       from aura.consumer_offset o
       join unnest($3::text[], $4::int[], $5::bigint[]) as taken(topic, partition, log_end)
         on o.topic = taken.topic and o.partition = taken.partition
      where o.consumer_group = $1
      order by o.topic, o.partition
        for update of o)
   update aura.consumer_offset o
      set epoch = o.epoch + 1, owner = $2, released = false, changed_at = clock_timestamp(),
          suspect_until = case when o.released or o.owner = $2 then o.suspect_until
                          else greatest(o.suspect_until, least(mine.log_end, o.next_offset + $6)) end
     from mine
    where o.consumer_group = $1 and o.topic = mine.topic and o.partition = mine.partition
   returning o.topic, o.partition, o.next_offset, o.epoch, o.high_water, o.suspect_until, o.started_until`,
);

/**
 * P2, P3. Refuses, naming them, where partitions are another owner's. $6: given back in good order, and those
 * are left alone.
 */
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
        for update of o),
   saved as (
     update aura.consumer_offset o
        set next_offset = greatest(o.next_offset, mine.next_offset),
            high_water = greatest(o.high_water, mine.next_offset),
            started_offset = case when mine.next_offset < o.started_until then o.started_offset end,
            started_until = case when mine.next_offset < o.started_until then o.started_until end,
            starts = case when mine.next_offset < o.started_until then o.starts else 0 end,
            released = $6, changed_at = clock_timestamp()
       from mine
      where o.consumer_group = $1 and o.topic = mine.topic and o.partition = mine.partition
        and o.epoch = mine.epoch
     returning o.topic, o.partition),
   stale as (
     select * from unnest($2::text[], $3::int[]) as wanted(topic, partition)
      where not $6 and (topic, partition) not in (select topic, partition from saved))
   select aura.refuse('${REFUSED.staleOwner}', jsonb_agg(stale)) from stale having count(*) > 0`,
);

/** P5. Counts on when the same unit begins again; another one begins anew. */
const NOTE_START = statement(
  'consumer_offset_note_start',
  `update aura.consumer_offset
      set starts = case when started_offset = $5 and started_until = $6 then starts + 1 else 1 end,
          started_offset = $5, started_until = $6, changed_at = clock_timestamp()
    where consumer_group = $1 and topic = $2 and partition = $3 and epoch = $4
   returning starts`,
);

/** P5. Whoever owns it by now: what this process began and lived through did not end a process. */
const TAKE_BACK_START = statement(
  'consumer_offset_take_back_start',
  `update aura.consumer_offset set starts = greatest(0, starts - 1)
    where consumer_group = $1 and topic = $2 and partition = $3
      and started_offset = $4 and started_until = $5`,
);

const EPOCHS = statement(
  'consumer_offset_epochs',
  'select topic, partition, epoch from aura.consumer_offset where consumer_group = $1',
);

const LIST = statement(
  'consumer_offset_list',
  `select topic, partition, next_offset, high_water, owner, released, changed_at
     from aura.consumer_offset where consumer_group = $1 order by topic, partition`,
);

/** P6, P3. */
const RAISE = statement(
  'consumer_offset_raise',
  `with mine as materialized (
     select topic, partition from aura.consumer_offset
      where consumer_group = $1 order by topic, partition for update)
   update aura.consumer_offset o set epoch = o.epoch + 1, changed_at = clock_timestamp()
     from mine
    where o.consumer_group = $1 and o.topic = mine.topic and o.partition = mine.partition`,
);

/**
 * P6, P3. `high_water` stays: it says what was ever passed, and records before it are read again. Nothing
 * of before is suspect in the new place.
 */
const MOVE = statement(
  'consumer_offset_move',
  `insert into aura.consumer_offset as o
          (consumer_group, topic, partition, next_offset, high_water, epoch, owner, released)
   select $1, $2, partition, target, target, 1, '', true
     from unnest($3::int[], $4::bigint[]) as moved(partition, target)
    order by partition
       on conflict (consumer_group, topic, partition) do update
      set next_offset = excluded.next_offset, epoch = o.epoch + 1, suspect_until = null,
          started_offset = null, started_until = null, starts = 0, changed_at = clock_timestamp()`,
);

/** The partitions of `topics` that this group has rows for. */
export function knownPartitions(
  db: Queryable,
  group: string,
  topics: readonly string[],
): Promise<TopicPartition[]> {
  return run<{ topic: string; partition: number }>(db, KNOWN, [group, topics]);
}

/** P4. Gives rows to partitions that have none: where each starts. */
export async function placePartitions(
  db: Queryable,
  group: string,
  starts: readonly Position[],
): Promise<void> {
  await run(db, PLACE, [
    group,
    starts.map((s) => s.topic),
    starts.map((s) => s.partition),
    starts.map((s) => s.offset.toString()),
  ]);
}

/**
 * Takes partitions over from whoever had them; those without a row are left out. `offset`: the end of the
 * log; `unitRecords`: how many a unit of this group has at most.
 */
export async function takePartitions(
  db: Queryable,
  group: string,
  owner: string,
  ends: readonly Position[],
  unitRecords: number,
): Promise<TakenPosition[]> {
  interface Row extends Record<string, unknown> {
    topic: string;
    partition: number;
    next_offset: string;
    epoch: string;
    high_water: string;
    suspect_until: string | null;
    started_until: string | null;
  }
  const rows = await run<Row>(db, TAKE, [
    group,
    owner,
    ends.map((e) => e.topic),
    ends.map((e) => e.partition),
    ends.map((e) => e.offset.toString()),
    unitRecords,
  ]);
  return rows.map(({ topic, partition, next_offset, epoch, high_water, suspect_until, started_until }) => ({
    topic,
    partition,
    offset: BigInt(next_offset),
    epoch: BigInt(epoch),
    highWater: BigInt(high_water),
    suspectUntil: suspect_until === null ? undefined : BigInt(suspect_until),
    startedUntil: started_until === null ? undefined : BigInt(started_until),
  }));
}

/** P5. How often this very unit has begun, this time included. Throws `StaleOwnerError`. */
export async function noteStart(
  db: Queryable,
  group: string,
  at: TopicPartition & { readonly epoch: bigint },
  { offset, until }: NotedStart,
): Promise<number> {
  const [row] = await run<{ starts: number }>(db, NOTE_START, [
    group,
    at.topic,
    at.partition,
    at.epoch.toString(),
    offset.toString(),
    until.toString(),
  ]);
  if (!row) throw new StaleOwnerError([at]);
  return row.starts;
}

/** P5. Its process lives. */
export async function takeBackStart(
  db: Queryable,
  group: string,
  { topic, partition }: TopicPartition,
  { offset, until }: NotedStart,
): Promise<void> {
  await run(db, TAKE_BACK_START, [group, topic, partition, offset.toString(), until.toString()]);
}

/** The epoch of each partition of the group, by `topic/partition`. */
export async function epochsOf(db: Queryable, group: string): Promise<Map<string, bigint>> {
  const rows = await run<{ topic: string; partition: number; epoch: string }>(db, EPOCHS, [group]);
  return new Map(rows.map((row) => [`${row.topic}/${row.partition}`, BigInt(row.epoch)]));
}

/** A partition as an operator sees it. */
export interface StoredPosition extends Position {
  readonly highWater: bigint;
  readonly owner: string;
  readonly released: boolean;
  /** When position, owner or epoch last changed. */
  readonly changedAt: Date;
}

export async function listPositions(db: Queryable, group: string): Promise<StoredPosition[]> {
  interface Row extends Record<string, unknown> {
    topic: string;
    partition: number;
    next_offset: string;
    high_water: string;
    owner: string;
    released: boolean;
    changed_at: Date;
  }
  const rows = await run<Row>(db, LIST, [group]);
  return rows.map(({ next_offset, high_water, changed_at: changedAt, ...row }) => ({
    ...row,
    offset: BigInt(next_offset),
    highWater: BigInt(high_water),
    changedAt,
  }));
}

/** P6. Whoever holds a partition of the group takes it again, and sees what an operator has changed. */
export async function raiseEpochs(db: Queryable, group: string): Promise<void> {
  await run(db, RAISE, [group]);
}

/** P6. Partitions without a row get one. */
export async function movePartitions(
  db: Queryable,
  group: string,
  topic: string,
  targets: readonly PartitionOffset[],
): Promise<void> {
  await run(db, MOVE, [
    group,
    topic,
    targets.map((t) => t.partition),
    targets.map((t) => t.offset.toString()),
  ]);
}

/**
 * Saves positions; none moves back. Throws `StaleOwnerError` naming those of another owner: the transaction
 * has failed then.
 */
export async function savePositions(
  db: Queryable,
  group: string,
  positions: readonly OwnedPosition[],
): Promise<void> {
  try {
    await save(db, group, positions, false);
  } catch (error) {
    const stale = refusalDetail(error, REFUSED.staleOwner);
    throw stale === undefined ? error : new StaleOwnerError(stale as TopicPartition[]);
  }
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

async function save(
  db: Queryable,
  group: string,
  positions: readonly OwnedPosition[],
  released: boolean,
): Promise<void> {
  await run(db, SAVE, [
    group,
    positions.map((p) => p.topic),
    positions.map((p) => p.partition),
    positions.map((p) => p.offset.toString()),
    positions.map((p) => p.epoch.toString()),
    released,
  ]);
}
