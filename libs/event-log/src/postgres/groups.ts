/**
 * Members, leases and assignments of consumer groups.
 *
 * - G1 whoever changes members or assignments of a group holds the row of the group: changes come one after
 *   the other.
 * - G2 a partition has one owner at most. Another member may take it only when the owner released it, or was
 *   expelled because its lease ran out by the database's clock.
 * - G3 who is expelled has no member row: its next heartbeat finds that out, and its reads find nothing
 *   (read.ts, R3).
 * - G4 join, leave and expulsion raise the group's generation and notify the others.
 */
import { type Queryable, run, statement } from '@aura/platform';
import type { TopicPartition } from '../event-log.js';
import { assign, type Candidate } from './assign.js';
import { GROUPS_CHANNEL } from './wake-up.js';

export interface Member {
  readonly group: string;
  readonly id: string;
}

/** How a member stands in its group, as its heartbeat saw it. */
export interface Standing {
  /** False: expelled; every partition it had may belong to somebody else by now. */
  readonly alive: boolean;
  readonly generation: bigint;
  /**
   * Others' leases have run out, or a topic has partitions that nobody was given: somebody must rebalance.
   */
  readonly stale: boolean;
  /** Owned by this member and to be kept. */
  readonly kept: TopicPartition[];
  /** Owned by this member, meant for another: to be released. */
  readonly leaving: TopicPartition[];
  /** Meant for this member and free. */
  readonly free: TopicPartition[];
}

const ENSURE_GROUP = statement(
  'consumer_group_insert',
  `insert into aura_log.consumer_group (name) values ($1) on conflict do nothing`,
);
const LOCK_GROUP = statement(
  'consumer_group_lock',
  `select generation from aura_log.consumer_group where name = $1 for update`,
);
const JOIN = statement(
  'member_insert',
  `insert into aura_log.member (consumer_group, id, topics, session_ms, lease_until)
   values ($1, $2, $3, $4::int, clock_timestamp() + $4::int * interval '1 ms')`,
);
const LEAVE = statement('member_delete', `delete from aura_log.member where consumer_group = $1 and id = $2`);
const EXPEL = statement(
  'member_delete_expired',
  `delete from aura_log.member where consumer_group = $1 and lease_until < clock_timestamp()`,
);
const MEMBERS = statement(
  'member_select_group',
  `select id, topics from aura_log.member where consumer_group = $1`,
);
const PARTITIONS = statement(
  'partition_select_topics',
  `select topic, partition from aura_log.partition where topic = any($1::text[])`,
);
const NEXT_GENERATION = statement(
  'consumer_group_next_generation',
  `update aura_log.consumer_group set generation = generation + 1 where name = $1
   returning pg_notify('${GROUPS_CHANNEL}', name)`,
);
/**
 * $2, $3, $4: topic, partition, target; $5: the members that are left. Owners that are gone lose what they
 * had (G2).
 */
const RETARGET = statement(
  'assignment_upsert_targets',
  `insert into aura_log.assignment as a (consumer_group, topic, partition, target)
   select $1, t.* from unnest($2::text[], $3::int[], $4::uuid[]) as t
       on conflict (consumer_group, topic, partition) do update
      set target = excluded.target, owner = case when a.owner = any($5::uuid[]) then a.owner end`,
);
/** Rows of topics that no member of the group subscribes to any more. */
const FORGET = statement(
  'assignment_delete_unwanted',
  `delete from aura_log.assignment
    where consumer_group = $1 and not (topic = any($2::text[]))
      and (owner is null or not (owner = any($3::uuid[])))`,
);

/** A new member of the group, and a rebalance. $topics need not exist yet: they count as soon as they do. */
export async function join(
  client: Queryable,
  member: Member,
  topics: readonly string[],
  sessionMs: number,
): Promise<void> {
  await run(client, ENSURE_GROUP, [member.group]);
  await run(client, LOCK_GROUP, [member.group]);
  await run(client, JOIN, [member.group, member.id, topics, sessionMs]);
  await retarget(client, member.group);
}

/** The member is gone, and what it owned is free. Repeating it is harmless. */
export async function leave(client: Queryable, member: Member): Promise<void> {
  await run(client, LOCK_GROUP, [member.group]);
  await run(client, LEAVE, [member.group, member.id]);
  await retarget(client, member.group);
}

/** Expels the members whose lease has run out, and assigns anew. */
export async function rebalance(client: Queryable, group: string): Promise<void> {
  await run(client, LOCK_GROUP, [group]);
  await retarget(client, group);
}

async function retarget(client: Queryable, group: string): Promise<void> {
  await run(client, EXPEL, [group]);
  const members = await run<{ id: string; topics: string[] }>(client, MEMBERS, [group]);
  const topics = [...new Set(members.flatMap((member) => member.topics))];
  const partitions = await run<{ topic: string; partition: number }>(client, PARTITIONS, [topics]);
  const targets = assign(members satisfies Candidate[], partitions);
  const ids = members.map((member) => member.id);
  await run(client, RETARGET, [
    group,
    targets.map((t) => t.topic),
    targets.map((t) => t.partition),
    targets.map((t) => t.member ?? null),
    ids,
  ]);
  await run(client, FORGET, [group, topics, ids]);
  await run(client, NEXT_GENERATION, [group]);
}

/**
 * Heartbeat and view in one statement. A member whose lease has run out but whom nobody has expelled yet is
 * still the owner of its partitions, and renews.
 */
const BEAT = statement(
  'member_renew_lease',
  `with beat as (
     update aura_log.member set lease_until = clock_timestamp() + session_ms * interval '1 ms'
      where consumer_group = $1 and id = $2::uuid returning topics
   )
   select exists (select from beat) as alive,
          g.generation,
          exists (select from aura_log.member m
                   where m.consumer_group = $1 and m.id <> $2::uuid and m.lease_until < clock_timestamp())
            or exists (select from beat b cross join unnest(b.topics) as t(topic)
                         join aura_log.partition p on p.topic = t.topic
                        where not exists (select from aura_log.assignment a where a.consumer_group = $1
                                             and a.topic = p.topic and a.partition = p.partition)) as stale,
          coalesce((select json_agg(json_build_object('topic', a.topic, 'partition', a.partition,
                             'owned', a.owner is not null, 'meant', a.target is not distinct from $2::uuid)
                             order by a.topic, a.partition)
                      from aura_log.assignment a
                     where a.consumer_group = $1
                       and (a.owner = $2::uuid or (a.owner is null and a.target = $2::uuid))), '[]') as mine
     from aura_log.consumer_group g where g.name = $1`,
);

interface BeatRow {
  alive: boolean;
  generation: string;
  stale: boolean;
  mine: { topic: string; partition: number; owned: boolean; meant: boolean }[];
}

export async function beat(client: Queryable, member: Member): Promise<Standing> {
  const [row] = await run<BeatRow>(client, BEAT, [member.group, member.id]);
  const mine = (wanted: (m: BeatRow['mine'][number]) => boolean): TopicPartition[] =>
    (row?.mine ?? []).filter(wanted).map(({ topic, partition }) => ({ topic, partition }));
  return {
    alive: row?.alive ?? false,
    generation: BigInt(row?.generation ?? 0),
    stale: row?.stale ?? false,
    kept: mine((m) => m.owned && m.meant),
    leaving: mine((m) => m.owned && !m.meant),
    free: mine((m) => !m.owned),
  };
}

const RELEASE = statement(
  'assignment_release',
  `with given as (select * from unnest($3::text[], $4::int[]) as g(topic, partition))
   update aura_log.assignment a set owner = null from given g
    where a.consumer_group = $1 and a.topic = g.topic and a.partition = g.partition and a.owner = $2::uuid`,
);
const NOTIFY_GROUP = statement('consumer_group_notify', `select pg_notify('${GROUPS_CHANNEL}', $1)`);

/** Gives partitions back, for their new owner to take. Called when nothing of them is under way any more. */
export async function release(
  client: Queryable,
  member: Member,
  partitions: readonly TopicPartition[],
): Promise<void> {
  await run(client, LOCK_GROUP, [member.group]);
  await run(client, RELEASE, [
    member.group,
    member.id,
    partitions.map((p) => p.topic),
    partitions.map((p) => p.partition),
  ]);
  await run(client, NOTIFY_GROUP, [member.group]);
}

const CLAIM = statement(
  'assignment_claim',
  `update aura_log.assignment a set owner = $2::uuid
    where a.consumer_group = $1 and a.target = $2::uuid and a.owner is null
   returning a.topic, a.partition`,
);

/**
 * Takes every free partition that is meant for this member; none is meant for one that was expelled (G1,
 * retarget).
 */
export async function claim(client: Queryable, member: Member): Promise<TopicPartition[]> {
  await run(client, LOCK_GROUP, [member.group]);
  return run<{ topic: string; partition: number }>(client, CLAIM, [member.group, member.id]);
}
