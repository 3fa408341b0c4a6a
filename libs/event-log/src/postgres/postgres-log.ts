import { asError, type Logger, Loop, silentLogger, TerminalError, TransientError } from '@aura/platform';
import { admit, DEFAULT_MAX_RECORD_BYTES, type Lane, sizeOf } from '../admission.js';
import { PositionOutOfRangeError, UnknownTopicError } from '../errors.js';
import type {
  AppendResult,
  EventLog,
  LogRecord,
  NewRecord,
  PartitionAck,
  PartitionBounds,
  PartitionFailure,
  PartitionOffset,
  SubscribeOptions,
  Subscription,
  TopicDescription,
  TopicSettings,
  TopicSpec,
} from '../event-log.js';
import { appendLanes } from './append.js';
import { Database } from './database.js';
import { readBounds, readOffsetsAt, readPage } from './read.js';
import { applyRetention, deleteBefore } from './retention.js';
import { PostgresSubscription } from './subscription.js';
import { readGroupOffsets } from './group-offsets.js';
import { createTopics, describeTopics, readSettings } from './topics.js';
import { WakeUp } from './wake-up.js';

export interface PostgresLogOptions {
  /** The log's own database; the schema `aura_log` in it is migrated before the first statement. */
  readonly url: string;
  /** Seen in `pg_stat_activity`. Default `aura-event-log`. */
  readonly applicationName?: string;
  readonly logger?: Logger;
  /** A larger record is refused (key, value and headers, in bytes). Default 1 MiB, as Kafka's. */
  readonly maxRecordBytes?: number;
  /** Bytes of one append statement; a larger call is several statements. Default 8 MiB. */
  readonly maxStatementBytes?: number;
  /** Pooled connections; one more listens once something subscribes. Default 4. */
  readonly maxConnections?: number;
  readonly statementTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
  /** The backstop of notifications: an idle reader looks this often (ms). Default 2,000. */
  readonly pollMs?: number;
  /** How often retention is applied (ms). Default 60,000. */
  readonly retentionEveryMs?: number;
}

/** The port, and what only this adapter has. */
export interface PostgresLog extends EventLog {
  readonly kind: 'postgres';
  /**
   * Deletes what the topics' `retentionMs` has passed; gives how many records. Runs by itself every minute.
   */
  applyRetention(): Promise<number>;
  /** Deletes the records of one partition before `before`. Throws `UnknownTopicError`. */
  deleteBefore(topic: string, partition: number, before: bigint): Promise<void>;
}

/**
 * The log in Postgres: the embedded default for a first run, tests and small installations.
 *
 * Returns at once and connects on first use: a service starts while the database is down. Guarantees L1 to L6
 * of the port; nothing that Kafka has not. Limits: one database, so one machine's writes; at most
 * `maxConnections` + 1 connections. Errors: `TransientError` while the database is away, `InvariantError`
 * where it is not what this version expects.
 */
export function postgresLog(options: PostgresLogOptions): PostgresLog {
  return new PostgresEventLog(options);
}

/** Bounds of one page of `scan`. */
const PAGE = { maxRecords: 500, maxBytes: 2 * 1024 * 1024 };

class PostgresEventLog implements PostgresLog {
  readonly kind = 'postgres';
  readonly #database: Database;
  readonly #wakeUp: WakeUp;
  readonly #retention: Loop;
  readonly #subscriptions = new Set<PostgresSubscription>();
  /** Partition counts never change, so what was once seen holds. */
  readonly #partitions = new Map<string, number>();
  readonly #limits: { maxRecordBytes: number; maxStatementBytes: number; pollMs: number };
  #closed: Promise<void> | undefined;

  constructor(options: PostgresLogOptions) {
    const logger = options.logger ?? silentLogger;
    this.#database = new Database({
      url: options.url,
      applicationName: options.applicationName ?? 'aura-event-log',
      maxConnections: options.maxConnections ?? 4,
      statementTimeoutMs: options.statementTimeoutMs ?? 10_000,
      connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    });
    const warn = (error: unknown): void =>
      logger.warn({ error: asError(error).message }, 'the event log’s database is away; trying again');
    this.#wakeUp = new WakeUp(this.#database, warn);
    this.#retention = new Loop({
      name: 'event-log.retention',
      idleMs: options.retentionEveryMs ?? 60_000,
      round: async (signal) => {
        await applyRetention(this.#database, signal);
        return 'wait';
      },
      onError: warn,
    });
    this.#limits = {
      maxRecordBytes: options.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES,
      maxStatementBytes: options.maxStatementBytes ?? 8 * 1024 * 1024,
      pollMs: options.pollMs ?? 2_000,
    };
  }

  async append(records: readonly NewRecord[]): Promise<AppendResult> {
    this.#keepRetention();
    const unknown = await this.#learn(new Set(records.map((record) => record.topic)));
    const failed: PartitionFailure[] = [...unknown].map((topic) => ({
      topic,
      partition: undefined,
      indexes: records.flatMap((record, index) => (record.topic === topic ? [index] : [])),
      error: new UnknownTopicError(topic),
    }));
    const known = records.flatMap((record, index) => (unknown.has(record.topic) ? [] : [index]));
    const admission = admit(
      records,
      known,
      (topic) => this.#partitions.get(topic) ?? 1,
      this.#limits.maxRecordBytes,
    );
    failed.push(...admission.failed);
    const acknowledged: PartitionAck[] = [];
    const statements = inStatements(records, admission.lanes, this.#limits.maxStatementBytes);
    for (const [at, lanes] of statements.entries()) {
      try {
        const acks = await this.#database.use('append', (client) => appendLanes(client, records, lanes));
        acknowledged.push(...acks);
        failed.push(...this.#missing(lanes, acks));
      } catch (error) {
        if (acknowledged.length === 0) throw error;
        // Stop here: a later statement could overtake this one's records of the same key (L2).
        failed.push(
          ...statements
            .slice(at)
            .flat()
            .map((lane) => ({ ...lane, error: asError(error) })),
        );
        break;
      }
    }
    return { acknowledged, failed };
  }

  /**
   * Lanes without a row: the log's database was replaced under us. What was known of these topics is
   * forgotten.
   */
  #missing(lanes: readonly Lane[], acks: readonly PartitionAck[]): PartitionFailure[] {
    return lanes
      .filter((lane) => !acks.some((ack) => ack.topic === lane.topic && ack.partition === lane.partition))
      .map((lane) => {
        this.#partitions.delete(lane.topic);
        return {
          ...lane,
          error: new TransientError(`${lane.topic}/${lane.partition} is not in the log any more`),
        };
      });
  }

  /** Learns partition counts; gives the topics that don't exist. */
  async #learn(topics: ReadonlySet<string>): Promise<Set<string>> {
    const asked = [...topics].filter((topic) => !this.#partitions.has(topic));
    if (asked.length > 0)
      for (const { name, partitions } of await this.describe(asked)) this.#partitions.set(name, partitions);
    return new Set(asked.filter((topic) => !this.#partitions.has(topic)));
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    if (this.#closed) throw new TransientError(`the log is closed: ${options.group} can't subscribe`);
    const subscription = new PostgresSubscription(this.#database, this.#wakeUp, options, this.#limits.pollMs);
    this.#subscriptions.add(subscription);
    this.#keepRetention();
    await subscription.start();
    return subscription;
  }

  /** Whoever uses the log keeps its promise of retention: there may be nobody else who does. */
  #keepRetention(): void {
    if (!this.#closed) this.#retention.start();
  }

  createTopics(topics: readonly TopicSpec[]): Promise<void> {
    this.#keepRetention();
    return this.#database.transaction('create topics', (client) => createTopics(client, topics));
  }

  describe(names: readonly string[]): Promise<TopicDescription[]> {
    return this.#database.use('describe topics', (client) => describeTopics(client, names));
  }

  async bounds(topic: string): Promise<PartitionBounds[]> {
    const bounds = await this.#database.use('read bounds', (client) => readBounds(client, topic));
    if (bounds.length === 0) throw new UnknownTopicError(topic);
    return bounds;
  }

  async offsetsAt(topic: string, time: Date): Promise<PartitionOffset[]> {
    const offsets = await this.#database.use('find offsets', (client) => readOffsetsAt(client, topic, time));
    if (offsets.length === 0) throw new UnknownTopicError(topic);
    return offsets;
  }

  groupOffsets(group: string, topic: string): Promise<PartitionOffset[]> {
    return this.#database.use('read a group’s offsets', (client) => readGroupOffsets(client, group, topic));
  }

  async settings(topic: string): Promise<TopicSettings> {
    const found = await this.#database.use('read a topic’s settings', (client) =>
      readSettings(client, topic),
    );
    if (!found) throw new UnknownTopicError(topic);
    return { ...found, maxMessageBytes: this.#limits.maxRecordBytes };
  }

  async *scan(topic: string, partition: number, from: bigint, to: bigint): AsyncGenerator<LogRecord> {
    for (let at = from; at < to;) {
      const position = { topic, partition, offset: at };
      const page = await this.#database.use('scan', (client) => readPage(client, position, to, PAGE));
      if (!page) throw await this.#unknown(topic, partition);
      if (at < page.first) throw new PositionOutOfRangeError(position, page);
      if (page.records.length === 0) return;
      yield* page.records;
      at += BigInt(page.records.length);
    }
  }

  async #unknown(topic: string, partition: number): Promise<Error> {
    const [known] = await this.describe([topic]);
    return known
      ? new TerminalError(`${topic} has ${known.partitions} partitions, none with number ${partition}`)
      : new UnknownTopicError(topic);
  }

  async ping(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new TransientError(`the event log did not answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
    try {
      await Promise.race([this.#database.use('ping', (client) => client.query('select 1')), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  applyRetention(): Promise<number> {
    return applyRetention(this.#database, new AbortController().signal);
  }

  async deleteBefore(topic: string, partition: number, before: bigint): Promise<void> {
    if (!(await deleteBefore(this.#database, topic, partition, before)))
      throw await this.#unknown(topic, partition);
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.stop()));
    await this.#retention.stop();
    await this.#wakeUp.close();
    await this.#database.end();
  }
}

/** Splits lanes into statements of bounded size; the order of each lane stays, over its statements too. */
function inStatements(records: readonly NewRecord[], lanes: readonly Lane[], maxBytes: number): Lane[][] {
  const statements: Lane[][] = [];
  let current: { topic: string; partition: number; indexes: number[] }[] = [];
  let bytes = 0;
  for (const { topic, partition, indexes } of lanes) {
    let lane: { topic: string; partition: number; indexes: number[] } | undefined;
    for (const index of indexes) {
      const record = records[index];
      const size = record ? sizeOf(record) : 0;
      if (bytes > 0 && bytes + size > maxBytes) {
        statements.push(current);
        current = [];
        lane = undefined;
        bytes = 0;
      }
      if (!lane) {
        lane = { topic, partition, indexes: [] };
        current.push(lane);
      }
      lane.indexes.push(index);
      bytes += size;
    }
  }
  if (current.length > 0) statements.push(current);
  return statements;
}
