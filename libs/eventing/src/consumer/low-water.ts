/** How far back a group's inbox remembers: the only statements on `aura.inbox_low_water`. */
import { run, statement, type Queryable } from '@aura/platform';
import type { Delivery } from './delivery.js';
import { mayBeTooOld, sureFrom, tooOld, type LowWater } from './low-water-rules.js';
import { keyOf } from './ownership.js';

const FIND = statement(
  'inbox_low_water_find',
  `select w.below::text, o.topic, o.partition, o.high_water::text
     from aura.inbox_low_water w
     left join aura.consumer_offset o
       on o.consumer_group = w.consumer_group and o.topic = any($2::text[])
    where w.consumer_group = $1`,
);

/** A mark never falls. */
const RAISE = statement(
  'inbox_low_water_raise',
  `insert into aura.inbox_low_water as w (consumer_group, below)
   select consumer_group, below from unnest($1::text[], $2::uuid[]) as forgotten(consumer_group, below)
    order by consumer_group
       on conflict (consumer_group) do update
      set below = greatest(w.below, excluded.below), moved_at = clock_timestamp()`,
);

/** A day holds ids of every group that this database knows positions of. */
const RAISE_ALL = statement(
  'inbox_low_water_raise_all',
  `insert into aura.inbox_low_water as w (consumer_group, below)
   select distinct consumer_group, $1::uuid from aura.consumer_offset order by consumer_group
       on conflict (consumer_group) do update
      set below = greatest(w.below, excluded.below), moved_at = clock_timestamp()`,
);

/**
 * W3. `arrived`: what the inbox did not know, after its insert and in the same transaction. Gives them in
 * order, with a refusal in place of each that nobody can judge.
 *
 * A statement of its own after that insert, so that a drop of a day by another replica can't slip in
 * between: either the insert waited for the drop, and the mark is seen moved, or the drop waits for this
 * transaction, and the inbox knew the id.
 */
export async function refuseTooOld(
  db: Queryable,
  group: string,
  arrived: readonly Delivery[],
  now: Date,
): Promise<readonly Delivery[]> {
  const sure = sureFrom(now);
  const old = arrived.filter((delivery) => mayBeTooOld(delivery, sure));
  if (old.length === 0) return arrived;
  const topics = [...new Set(old.map(({ record }) => record.topic))];
  const lowWater = await findLowWater(db, group, topics);
  if (!lowWater) return arrived;
  const candidates = new Set(old);
  return arrived.map((delivery) => {
    const refusal = candidates.has(delivery) ? tooOld(delivery, lowWater) : undefined;
    return refusal ? { record: delivery.record, id: delivery.id, refusal } : delivery;
  });
}

/** Undefined where `group` has forgotten nothing yet. `highWater`: of the partitions of `topics`. */
export async function findLowWater(
  db: Queryable,
  group: string,
  topics: readonly string[],
): Promise<LowWater | undefined> {
  interface Row extends Record<string, unknown> {
    below: string;
    topic: string | null;
    partition: number | null;
    high_water: string | null;
  }
  const rows = await run<Row>(db, FIND, [group, topics]);
  const [first] = rows;
  if (!first) return undefined;
  const highWater = new Map<string, bigint>();
  for (const { topic, partition, high_water } of rows)
    if (topic !== null && partition !== null)
      highWater.set(keyOf({ topic, partition }), BigInt(high_water ?? 0));
  return { below: first.below, highWater };
}

/** Each group has forgotten ids below its mark: in the transaction that forgets them. */
export async function raiseLowWater(db: Queryable, marks: ReadonlyMap<string, string>): Promise<void> {
  await run(db, RAISE, [[...marks.keys()], [...marks.values()]]);
}

/** All groups have forgotten ids below `mark`. */
export async function raiseAllLowWater(db: Queryable, mark: string): Promise<void> {
  await run(db, RAISE_ALL, [mark]);
}
