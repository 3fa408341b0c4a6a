import { type Queryable, run, statement, TerminalError } from '@aura/platform';
import type { TopicDescription, TopicSettings, TopicSpec } from '../event-log.js';
import { GROUPS_CHANNEL } from './wake-up.js';

/** In order of name: two processes that create the same topics wait for each other, never in a ring. */
const CREATE = statement(
  'topic_insert_missing',
  `with created as (
     insert into aura_log.topic (name, partitions, retention_ms)
     select * from unnest($1::text[], $2::int[], $3::bigint[]) as t(name, partitions, retention_ms)
      order by name
         on conflict do nothing returning name, partitions
   )
   insert into aura_log.partition (topic, partition)
   select name, p from created cross join generate_series(0, partitions - 1) as p order by name, p`,
);
const NOTIFY_ALL = statement('topic_notify_created', `select pg_notify('${GROUPS_CHANNEL}', '')`);

/** As Kafka's; the schema holds it too. */
const NAME = /^[A-Za-z0-9._-]{1,249}$/;

/**
 * Creates the topics that are missing, and wakes the groups that wait for one of them.
 *
 * @throws TerminalError for a name that Kafka would not take either.
 */
export async function createTopics(client: Queryable, topics: readonly TopicSpec[]): Promise<void> {
  const refused = topics.find((topic) => !NAME.test(topic.name));
  if (refused)
    throw new TerminalError(
      `topic name ${JSON.stringify(refused.name)} is refused: ` +
        'letters, digits, dot, hyphen and underscore, at most 249',
    );
  await run(client, CREATE, [
    topics.map((t) => t.name),
    topics.map((t) => t.partitions),
    topics.map((t) => t.retentionMs ?? null),
  ]);
  await run(client, NOTIFY_ALL);
}

const DESCRIBE = statement(
  'topic_select_names',
  `select name, partitions from aura_log.topic where name = any($1::text[]) order by name`,
);

export function describeTopics(client: Queryable, names: readonly string[]): Promise<TopicDescription[]> {
  return run<{ name: string; partitions: number }>(client, DESCRIBE, [names]);
}

const SETTINGS = statement(
  'topic_select_settings',
  `select partitions, retention_ms::float8 as retention_ms from aura_log.topic where name = $1`,
);

/** How a topic is kept; undefined where it is unknown. Copies are the database's business, not the log's. */
export async function readSettings(
  client: Queryable,
  topic: string,
): Promise<Omit<TopicSettings, 'maxMessageBytes'> | undefined> {
  const [row] = await run<{ partitions: number; retention_ms: number | null }>(client, SETTINGS, [topic]);
  return (
    row && {
      partitions: row.partitions,
      brokers: undefined,
      replicationFactor: undefined,
      inSyncReplicas: undefined,
      minInsyncReplicas: undefined,
      uncleanLeaderElection: undefined,
      cleanupPolicy: 'delete',
      retentionMs: row.retention_ms ?? undefined,
      retentionBytes: undefined,
    }
  );
}
