import { kafkaLog, postgresLog, type EventLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { settled, testDatabase } from '@aura/testing';
import { Kafka, logLevel } from 'kafkajs';
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** A log beside the service's database, and a topic of one's own in it that can get lost. */
export interface LosingLog {
  readonly log: EventLog;
  readonly topic: string;
  /** Deletes the topic with all its records and makes it anew. */
  recreateTopic(partitions: number): Promise<void>;
  /** Only in Kafka: the Postgres log's counts never change. */
  addPartitions(count: number): Promise<void>;
  /** Only in Postgres: records from `to` on are gone. */
  truncate(partition: number, to: number): Promise<void>;
  drop(): Promise<void>;
}

const newTopic = (): string => `lost-${randomBytes(4).toString('hex')}.events`;

export async function losingPostgres(): Promise<LosingLog> {
  const database = await testDatabase('log');
  const log = postgresLog({ url: database.url });
  const topic = newTopic();
  const admin = new Client({ connectionString: database.url });
  admin.on('error', () => undefined); // `drop` ends it from the other side
  await admin.connect();
  const ofTopic = '(select id from aura_log.partition where topic = $1)';
  return {
    log,
    topic,
    async recreateTopic(partitions) {
      await admin.query(`delete from aura_log.record where partition_id in ${ofTopic}`, [topic]);
      await admin.query('delete from aura_log.partition where topic = $1', [topic]);
      await admin.query('delete from aura_log.topic where name = $1', [topic]);
      await log.createTopics([{ name: topic, partitions }]);
    },
    addPartitions: () => Promise.reject(new Error('the Postgres log adds no partitions')),
    async truncate(partition, to) {
      const values = [topic, partition, to];
      await admin.query(
        `delete from aura_log.record as r using aura_log.partition as p
          where p.id = r.partition_id and p.topic = $1 and p.partition = $2 and "offset" >= $3`,
        values,
      );
      await admin.query(
        'update aura_log.partition set next = least(next, $3) where topic = $1 and partition = $2',
        values,
      );
    },
    async drop() {
      await admin.end();
      await database.drop();
    },
  };
}

export async function losingKafka(brokers: readonly string[]): Promise<LosingLog> {
  const log = kafkaLog({ brokers, clientId: 'losing', logger: silentLogger });
  const topic = newTopic();
  const admin = new Kafka({ brokers: [...brokers], clientId: 'loser', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  return {
    log,
    topic,
    async recreateTopic(partitions) {
      await admin.deleteTopics({ topics: [topic] });
      await settled('the topic is gone', async () => !(await admin.listTopics()).includes(topic));
      await settled('the topic is there again', async () => {
        await log.createTopics([{ name: topic, partitions }]);
        return (await log.bounds(topic)).length === partitions;
      });
    },
    async addPartitions(count) {
      await admin.createPartitions({ topicPartitions: [{ topic, count }] });
      await settled('they are there', async () => (await log.bounds(topic)).length === count);
    },
    truncate: () => Promise.reject(new Error('Kafka truncates no tail while it runs')),
    drop: () => admin.disconnect(),
  };
}
