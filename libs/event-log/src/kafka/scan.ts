import type { Kafka, KafkaMessage } from 'kafkajs';
import { PositionOutOfRangeError } from '../errors.js';
import type { LogRecord, PartitionBounds } from '../event-log.js';
import { protocolType, toLogError, within } from './kafka-errors.js';
import { toRecord } from './records.js';
import { connectCluster } from './topics.js';

const FETCH_BYTES = 1 << 20;
const FETCH_TIMEOUT_MS = 15_000;
const READ_COMMITTED = 1;

interface FetchedPartition {
  readonly messages: readonly (KafkaMessage & { readonly isControlRecord?: boolean })[];
}

/**
 * Reads one partition from `from` to `to` or the end that `bounds` names, one fetch of about 1 MiB at a time,
 * by plain fetches to its leader: no group is joined and none is left behind. Records of aborted transactions
 * are not told apart (Aura's own producers use none).
 */
export async function* scanPartition(
  kafka: Kafka,
  topic: string,
  bounds: PartitionBounds,
  from: bigint,
  to: bigint,
): AsyncGenerator<LogRecord> {
  const { partition, first, end } = bounds;
  if (from < first || from > end)
    throw new PositionOutOfRangeError({ topic, partition, offset: from }, bounds);
  const stopAt = to < end ? to : end;
  if (from >= stopAt) return;
  const what = `reading ${topic}/${partition}`;
  const { cluster, consumer } = await connectCluster(kafka).catch((error: unknown) => {
    throw toLogError(error, what);
  });
  const fetchAt = async (offset: bigint): Promise<FetchedPartition> => {
    const [leader] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
    const broker = await cluster.findBroker({ nodeId: leader ?? '' });
    const answer = (await broker.fetch({
      isolationLevel: READ_COMMITTED,
      maxWaitTime: 500,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: FETCH_BYTES }] }],
    })) as { responses: { partitions: FetchedPartition[] }[] };
    return answer.responses[0]?.partitions[0] ?? { messages: [] };
  };
  try {
    await cluster.addTargetTopic(topic);
    let next = from;
    while (next < stopAt) {
      const { messages } = await within(FETCH_TIMEOUT_MS, what, fetchAt(next));
      const fresh = messages.filter((m) => BigInt(m.offset) >= next);
      if (fresh.length === 0) return; // nothing readable before the end: markers of a transaction under way
      for (const message of fresh) {
        next = BigInt(message.offset) + 1n;
        if (next > stopAt) return;
        if (message.isControlRecord !== true) yield toRecord(topic, partition, message);
      }
    }
  } catch (error) {
    if (protocolType(error) === 'OFFSET_OUT_OF_RANGE')
      throw new PositionOutOfRangeError({ topic, partition, offset: from }, bounds);
    throw toLogError(error, what);
  } finally {
    await consumer.disconnect().catch(() => undefined); // the reading is over either way
  }
}
