import { Kafka, logLevel } from 'kafkajs';
import { vi } from 'vitest';
import { describeEventLog } from './conformance/index.js';
import { open } from './open-kafka.js';
import { ownKafka } from './own-kafka.js';

const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',');

// A broker of one's own takes its time to start on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

describeEventLog('Kafka', () => {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  return Promise.resolve({
    kind: 'kafka' as const,
    open: () => open(brokers),
    child: { module: new URL('open-kafka.ts', import.meta.url), config: brokers },
    deleteBefore: async (topic: string, partition: number, before: bigint) => {
      await admin.fetchTopicOffsets(topic); // it needs the topic's metadata
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] });
    },
    deleteTopic: (topic: string) => admin.deleteTopics({ topics: [topic] }),
    sessionTimeoutMs: 6_000,
    ownServer: ownKafka,
    close: () => admin.disconnect(),
  });
});
