import type { Kafka } from 'kafkajs';
import type {
  AppendOptions,
  AppendResult,
  EventLog,
  LogRecord,
  NewRecord,
  PartitionBounds,
  PartitionOffset,
  SubscribeOptions,
  Subscription,
  TopicDescription,
  TopicSettings,
  TopicSpec,
} from '../event-log.js';
import { UnknownTopicError } from '../errors.js';
import { kafkaClient, type KafkaLogOptions } from './client.js';

export type { KafkaLogOptions } from './client.js';
import { KafkaSubscription } from './consumer.js';
import { KafkaProducer } from './producer.js';
import { scanPartition } from './scan.js';
import { Sockets } from './sockets.js';
import { Topics } from './topics.js';

/**
 * The log kept by Kafka, through kafkajs (docs/adr/0004-kafkajs.md says what of it is fenced off, and how).
 *
 * Connects on first use; whatever is away is tried again by the callers' rules, and subscriptions go on by
 * themselves. Offsets of groups are committed to Kafka as well, some seconds late, for tools that show lag;
 * nothing here reads them.
 */
export function kafkaLog(options: KafkaLogOptions): EventLog {
  return new KafkaLog(options);
}

class KafkaLog implements EventLog {
  readonly kind = 'kafka';
  readonly #sockets = new Sockets();
  readonly #kafka: Kafka;
  readonly #topics: Topics;
  readonly #producer: KafkaProducer;
  /** Connected once something is probed. */
  readonly #probing: KafkaProducer;
  readonly #subscriptions = new Set<KafkaSubscription>();

  constructor(private readonly options: KafkaLogOptions) {
    this.#kafka = kafkaClient(options, this.#sockets);
    this.#topics = new Topics(this.#kafka);
    const limits = {
      appendTimeoutMs: options.appendTimeoutMs ?? 15_000,
      maxBatchBytes: options.maxBatchBytes ?? 900_000,
      maxRecordBytes: options.maxRecordBytes ?? 1_000_000,
    };
    this.#producer = new KafkaProducer(this.#kafka, this.#topics, options.logger, limits);
    this.#probing = new KafkaProducer(this.#kafka, this.#topics, options.logger, limits);
  }

  append(records: readonly NewRecord[], { probe = false }: AppendOptions = {}): Promise<AppendResult> {
    return (probe ? this.#probing : this.#producer).append(records);
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    const subscription = new KafkaSubscription(
      () => kafkaClient(this.options, this.#sockets),
      this.#topics,
      options,
    );
    this.#subscriptions.add(subscription);
    await subscription.start();
    return subscription;
  }

  createTopics(topics: readonly TopicSpec[]): Promise<void> {
    return this.#topics.createTopics(topics);
  }

  describe(names: readonly string[]): Promise<TopicDescription[]> {
    return this.#topics.describe(names);
  }

  bounds(topic: string): Promise<PartitionBounds[]> {
    return this.#topics.bounds(topic);
  }

  offsetsAt(topic: string, time: Date): Promise<PartitionOffset[]> {
    return this.#topics.offsetsAt(topic, time);
  }

  async *scan(topic: string, partition: number, from: bigint, to: bigint): AsyncGenerator<LogRecord> {
    const bounds = (await this.#topics.bounds(topic)).find((b) => b.partition === partition);
    if (!bounds) throw new UnknownTopicError(`${topic}/${partition}`);
    yield* scanPartition(this.#kafka, topic, bounds, from, to);
  }

  groupOffsets(group: string, topic: string): Promise<PartitionOffset[]> {
    return this.#topics.groupOffsets(group, topic);
  }

  settings(topic: string): Promise<TopicSettings> {
    return this.#topics.settings(topic);
  }

  ping(timeoutMs: number): Promise<void> {
    return this.#topics.ping(timeoutMs);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((s) => s.stop()));
    await Promise.all([this.#producer.close(), this.#probing.close()]);
    await this.#topics.close();
    this.#sockets.endAll();
  }
}
