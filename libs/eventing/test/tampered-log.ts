import { kafkaLog, postgresLog, type EventLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { settled, testDatabase } from '@aura/testing';
import { Kafka, logLevel } from 'kafkajs';

/** A log to which what must not happen can be done. */
export interface TamperedLog {
  readonly kind: EventLog['kind'];
  readonly log: EventLog;
  /** Records below `before` are gone, as retention leaves it. */
  deleteBefore(topic: string, partition: number, before: number): Promise<void>;
  /** The topic is gone, with all that it had. */
  deleteTopic(topic: string): Promise<void>;
  close(): Promise<void>;
}

async function tamperedPostgres(): Promise<TamperedLog> {
  const database = await testDatabase('log');
  const log = postgresLog({ url: database.url });
  const admin = await database.client();
  const ofTopic = '(select id from aura_log.partition where topic = $1)';
  return {
    kind: 'postgres',
    log,
    async deleteBefore(topic, partition, before) {
      const where = [topic, partition, before];
      await admin.query(
        `delete from aura_log.record as r using aura_log.partition as p
          where p.id = r.partition_id and p.topic = $1 and p.partition = $2 and "offset" < $3`,
        where,
      );
      await admin.query(
        'update aura_log.partition set first = $3 where topic = $1 and partition = $2',
        where,
      );
    },
    async deleteTopic(topic) {
      await admin.query(`delete from aura_log.record where partition_id in ${ofTopic}`, [topic]);
      await admin.query('delete from aura_log.partition where topic = $1', [topic]);
      await admin.query('delete from aura_log.topic where name = $1', [topic]);
    },
    async close() {
      await log.close();
      await database.drop();
    },
  };
}

async function tamperedKafka(): Promise<TamperedLog> {
  const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',');
  const log = kafkaLog({ brokers, clientId: 'eventing-spec', logger: silentLogger });
  const admin = new Kafka({ brokers, clientId: 'tamperer', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  return {
    kind: 'kafka',
    log,
    async deleteBefore(topic, partition, before) {
      await admin.fetchTopicOffsets(topic); // or kafkajs does not know the topic's leaders
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] });
    },
    async deleteTopic(topic) {
      await admin.deleteTopics({ topics: [topic] });
      await settled('the topic is gone', async () => !(await admin.listTopics()).includes(topic));
    },
    async close() {
      await admin.disconnect();
      await log.close();
    },
  };
}

/** Both logs; Kafka only where there is a broker, and said aloud where there is none. */
export function tamperedLogs(): { kind: string; open: () => Promise<TamperedLog> }[] {
  const postgres = { kind: 'postgres', open: tamperedPostgres };
  if (process.env['KAFKA_BROKERS']) return [postgres, { kind: 'kafka', open: tamperedKafka }];
  console.warn('SKIPPED: E10 over Kafka, because KAFKA_BROKERS is not set');
  return [postgres];
}
