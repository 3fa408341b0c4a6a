/**
 * Appends to Kafka through kafkajs's idempotent producer.
 *
 * - K1 one append at a time, one request per leader at a time: order within a partition is the order of the
 *   calls. Probes of dead partitions have a producer of their own, or their time-outs would be everybody's;
 * - K2 a partition is acknowledged only by its own part of the answer, never by a call that resolved;
 * - K3 after any failed or unanswered send the producer is thrown away. kafkajs takes the sequence numbers of
 *   a failed batch back, so the next batch would carry them again; had the failed one been written after all,
 *   the broker would drop the next one as its repetition and acknowledge it;
 * - K4 an append ends within its time, whatever the brokers do.
 *
 * A record may be in the log twice after a failure that was none (the answer got lost): readers know by the
 * event's id.
 */
import { kindOf, TransientError, type Logger } from '@aura/platform';
import { Partitioners, type Kafka, type Producer } from 'kafkajs';
import { admit, sizeOf } from '../admission.js';
import { UnknownTopicError } from '../errors.js';
import type { AppendResult, NewRecord, PartitionAck, PartitionFailure } from '../event-log.js';
import {
  acknowledgedBy,
  byLeader,
  fail,
  halveFirst,
  planQueues,
  type PartitionQueue,
} from './append-plan.js';
import { connectOrEnd, isTooLarge, toLogError, within } from './kafka-errors.js';
import type { TopicLayout, Topics } from './topics.js';

export interface ProducerOptions {
  readonly appendTimeoutMs: number;
  readonly maxBatchBytes: number;
  readonly maxRecordBytes: number;
}

interface Outcome {
  readonly acknowledged: PartitionAck[];
  readonly failed: PartitionFailure[];
}

export class KafkaProducer {
  #producer: Promise<Producer> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly kafka: Kafka,
    private readonly topics: Topics,
    private readonly logger: Logger,
    private readonly options: ProducerOptions,
  ) {}

  append(records: readonly NewRecord[]): Promise<AppendResult> {
    const mine = this.#last.then(() => this.#append(records)); // K1
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    await this.#discard();
  }

  async #append(records: readonly NewRecord[]): Promise<AppendResult> {
    if (this.#closed) throw new TransientError('the log is closed: nothing was appended');
    if (records.length === 0) return { acknowledged: [], failed: [] };
    const deadline = performance.now() + this.options.appendTimeoutMs;
    const outcome: Outcome = { acknowledged: [], failed: [] };
    const { known, layouts } = await this.#place(records, outcome);
    const countOf = (topic: string): number => layouts.get(topic)?.length ?? 1;
    const { lanes, failed } = admit(records, known, countOf, this.options.maxRecordBytes);
    outcome.failed.push(...failed);
    const bytesOf = (index: number): number => sizeOf(records[index] as NewRecord) + RECORD_OVERHEAD;
    const queues = planQueues(lanes, layouts, bytesOf, this.options.maxBatchBytes);
    await this.#send(queues, records, deadline, outcome);
    return outcome;
  }

  /**
   * Partition counts of the records' topics; records of unknown topics fail, everything else stays in
   * `known`.
   */
  async #place(
    records: readonly NewRecord[],
    outcome: Outcome,
  ): Promise<{ known: number[]; layouts: Map<string, TopicLayout> }> {
    const layouts = new Map<string, TopicLayout>();
    const unknown = new Map<string, Error>();
    for (const topic of new Set(records.map((r) => r.topic))) {
      try {
        layouts.set(topic, await this.topics.layout(topic));
      } catch (error) {
        if (!(error instanceof UnknownTopicError)) throw error;
        unknown.set(topic, error);
      }
    }
    const known: number[] = [];
    const lost = new Map<string, number[]>([...unknown.keys()].map((topic) => [topic, []]));
    records.forEach(({ topic }, index) => (lost.get(topic) ?? known).push(index));
    for (const [topic, error] of unknown)
      outcome.failed.push({ topic, partition: undefined, indexes: lost.get(topic) ?? [], error });
    return { known, layouts };
  }

  async #send(
    queues: readonly PartitionQueue[],
    records: readonly NewRecord[],
    deadline: number,
    outcome: Outcome,
  ): Promise<void> {
    for (;;) {
      const open = queues.filter((q) => q.chunks.length > 0);
      if (open.length === 0) return;
      const producer = await this.#connected(deadline).catch((error: unknown) =>
        toLogError(error, 'appending'),
      );
      if (producer instanceof Error) {
        giveUp(open, producer, outcome);
        return;
      }
      const failed = await this.#round(producer, byLeader(open), records, deadline, outcome);
      // One bad partition fails its leader's whole request: each partition of it answers for itself.
      if (failed.length > 0) await this.#alone(failed.flat(), records, deadline, outcome);
    }
  }

  /** Sends the first chunk of every queue, one request per group; the groups that failed come back. */
  async #round(
    producer: Producer,
    groups: readonly PartitionQueue[][],
    records: readonly NewRecord[],
    deadline: number,
    outcome: Outcome,
  ): Promise<PartitionQueue[][]> {
    const failed: PartitionQueue[][] = [];
    await Promise.all(
      groups.map(async (group) => {
        try {
          await this.#request(producer, group, records, deadline, outcome);
        } catch (error) {
          this.logger.debug({ error, partitions: group.length }, 'a produce request failed');
          failed.push(group.filter((q) => q.chunks.length > 0));
        }
      }),
    );
    if (failed.length > 0) void this.#discard(); // K3
    return failed;
  }

  /** Sends one partition per request, so that each error has its partition. */
  async #alone(
    queues: readonly PartitionQueue[],
    records: readonly NewRecord[],
    deadline: number,
    outcome: Outcome,
  ): Promise<void> {
    for (const topic of new Set(queues.map((q) => q.topic))) this.topics.forget(topic);
    for (const [i, queue] of queues.entries()) {
      const producer = await this.#connected(deadline).catch((e: unknown) => toLogError(e, 'appending'));
      if (producer instanceof Error) {
        // The others need not find out by themselves that nobody answers.
        giveUp(queues.slice(i), producer, outcome);
        return;
      }
      try {
        await this.#request(producer, [queue], records, deadline, outcome);
      } catch (error) {
        void this.#discard(); // K3
        if (isTooLarge(error) && (queue.chunks[0]?.length ?? 0) > 1) halveFirst(queue);
        else outcome.failed.push(...(await this.#failure(queue, error)));
      }
    }
  }

  async #request(
    producer: Producer,
    group: readonly PartitionQueue[],
    records: readonly NewRecord[],
    deadline: number,
    outcome: Outcome,
  ): Promise<void> {
    const topicMessages = group.map(({ topic, partition, chunks: [first = []] }) => ({
      topic,
      messages: first.map((index) => toMessage(records[index] as NewRecord, partition)),
    }));
    const leftMs = Math.max(1, deadline - performance.now());
    const answer = await within(
      leftMs, // K4
      'appending to Kafka',
      producer.sendBatch({ acks: -1, timeout: PRODUCE_TIMEOUT_MS, topicMessages }),
    );
    const { acks, missing } = acknowledgedBy(answer, group);
    outcome.acknowledged.push(...acks);
    for (const queue of group) if (!missing.includes(queue)) queue.chunks = queue.chunks.slice(1);
    if (missing.length > 0) {
      const named = missing.map((q) => `${q.topic}/${q.partition}`).join(', ');
      throw new TransientError(`Kafka's answer does not name ${named}: not acknowledged`);
    }
  }

  async #failure(queue: PartitionQueue, error: unknown): Promise<PartitionFailure[]> {
    const { topic, partition } = queue;
    const gone = await this.topics.layout(topic).catch((e: unknown) => e);
    if (gone instanceof UnknownTopicError)
      return [{ topic, partition: undefined, indexes: takeAll(queue), error: gone }];
    const mapped = toLogError(error, `appending to ${topic}/${partition}`);
    return fail(queue, mapped, kindOf(mapped) === 'terminal');
  }

  async #connected(deadline: number): Promise<Producer> {
    const leftMs = Math.max(1, deadline - performance.now());
    this.#producer ??= this.#connect();
    try {
      return await within(leftMs, 'connecting the producer to Kafka', this.#producer);
    } catch (error) {
      void this.#discard();
      throw toLogError(error, 'connecting the producer to Kafka');
    }
  }

  async #connect(): Promise<Producer> {
    const producer = this.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await connectOrEnd(producer);
    return producer;
  }

  async #discard(): Promise<void> {
    const old = this.#producer;
    this.#producer = undefined;
    try {
      await (await old)?.disconnect();
    } catch (error) {
      this.logger.debug({ error }, 'a producer that was given up did not disconnect');
    }
  }
}

/** What the broker has at most to wait for its followers. */
const PRODUCE_TIMEOUT_MS = 5_000;
/** Length fields, deltas and header counts of one record in a batch: an upper bound without its headers. */
const RECORD_OVERHEAD = 64;

function toMessage(
  { key, value, headers }: NewRecord,
  partition: number,
): { key: string; value: Buffer; headers: Record<string, string>; partition: number } {
  return { key, value, headers: { ...headers }, partition };
}

/**
 * No broker answers: fails what is left. Throws where nothing was told yet: then nothing could be sent at
 * all.
 */
function giveUp(queues: readonly PartitionQueue[], error: Error, outcome: Outcome): void {
  if (outcome.acknowledged.length === 0 && outcome.failed.length === 0) throw error;
  for (const queue of queues) outcome.failed.push(...fail(queue, error, false));
}

function takeAll(queue: PartitionQueue): number[] {
  const all = queue.chunks.flat();
  queue.chunks = [];
  return all;
}
