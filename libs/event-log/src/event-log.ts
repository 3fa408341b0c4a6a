/**
 * The port to a partitioned log. Two adapters, Kafka and Postgres, pass one conformance suite
 * (`conformance.ts`).
 *
 * What every adapter guarantees:
 * - L1 a record acknowledged by `append` is kept, at the offset it was acknowledged at;
 * - L2 records of one `append` with the same key keep their order in their partition; a key always has the
 *   same partition (Kafka's murmur2 over the key's UTF-8 bytes, in both adapters) as long as the topic's
 * partition count stands;
 * - L3 a partition whose append failed is reported as failed: an acknowledgement never covers more than it
 *   names;
 * - L4 a subscription delivers each partition's records in offset order from where `onAssigned` placed it;
 *   what `onBatches` did not report as done is delivered again; nothing is skipped silently: a position
 *   outside the log is an error (`PositionOutOfRangeError`), given to `onPartitionError`, and the partition
 * stands still;
 * - L5 a partition is delivered to one live member of a group at a time as far as the log knows; a frozen
 *   member may wake up and still believe: callers fence by epoch (the service's database holds the offsets,
 * not the log);
 * - L6 an error of a callback never ends a subscription.
 */
export interface EventLog {
  readonly kind: 'kafka' | 'postgres';

  /**
   * Appends records, spread over partitions by key. Resolves when every partition has answered; never rejects
   * for a single partition: see `AppendResult`. Rejects with `TransientError` when nothing could be sent at
   * all.
   *
   * `probe`: of partitions that failed before. It may run beside the other appends, so that they need not
   * wait for its time-out: the caller sees to it that no other append of these partitions is under way.
   */
  append(records: readonly NewRecord[], options?: AppendOptions): Promise<AppendResult>;

  /** Joins `group`; resolves when the member runs (not when it has partitions). */
  subscribe(options: SubscribeOptions): Promise<Subscription>;

  /**
   * Creates the topics that are missing. A topic that is there is left as it is, whatever its partition
   * count.
   */
  createTopics(topics: readonly TopicSpec[]): Promise<void>;

  /** The topics that exist among `names`, with their partition counts; unknown ones are left out. */
  describe(names: readonly string[]): Promise<TopicDescription[]>;

  /** First kept and next free offset of each partition. Throws `UnknownTopicError`. */
  bounds(topic: string): Promise<PartitionBounds[]>;

  /**
   * The first offset at or after `time` of each partition; the end where there is none. Throws
   * `UnknownTopicError`.
   */
  offsetsAt(topic: string, time: Date): Promise<PartitionOffset[]>;

  /**
   * Records of one partition from `from` (inclusive) to `to` (exclusive), in order, with bounded memory. Ends
   * early where the log ends. Throws `PositionOutOfRangeError` where `from` is older than what is kept.
   */
  scan(topic: string, partition: number, from: bigint, to: bigint): AsyncIterable<LogRecord>;

  /**
   * What the log itself remembers of where a group is, some seconds late: no reader starts from it (the
   * service's database knows), but a database that has forgotten the group can be told by it (E10).
   * Partitions that no member of the group ever moved in are left out; so is all of an unknown topic or
   * group. Kafka forgets a group that was empty for `offsets.retention.minutes` (a week).
   */
  groupOffsets(group: string, topic: string): Promise<PartitionOffset[]>;

  /** How a topic is kept, as far as the log says. Throws `UnknownTopicError`. */
  settings(topic: string): Promise<TopicSettings>;

  /** Rejects with `TransientError` when the log does not answer within `timeoutMs`. For readiness. */
  ping(timeoutMs: number): Promise<void>;

  /** Stops subscriptions and connections. Idempotent. */
  close(): Promise<void>;
}

export interface NewRecord {
  readonly topic: string;
  /** Never empty: order is kept by it. */
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface AppendOptions {
  /** Default false. */
  readonly probe?: boolean;
}

export interface LogRecord extends NewRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** When the log took it, ms since the epoch. */
  readonly timestampMs: number;
}

/**
 * Which of the given records (by index) a partition took, and where; or why it did not. Every index is in
 * exactly one.
 */
export interface AppendResult {
  readonly acknowledged: readonly PartitionAck[];
  readonly failed: readonly PartitionFailure[];
}

export interface PartitionAck {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the first of `indexes`; the others follow without gaps. */
  readonly firstOffset: bigint;
  readonly indexes: readonly number[];
}

export interface PartitionFailure {
  readonly topic: string;
  /** Undefined where the topic is unknown. */
  readonly partition: number | undefined;
  readonly indexes: readonly number[];
  /**
   * `kindOf(error)` is 'transient' (try again) or 'terminal' (refused for good: too large, unknown topic).
   */
  readonly error: Error;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Kafka only; default: the brokers' own (`default.replication.factor`). */
  readonly replicationFactor?: number;
  /** How long records are kept; default: for ever on Postgres, the broker's default on Kafka. */
  readonly retentionMs?: number;
}

export interface TopicDescription {
  readonly name: string;
  readonly partitions: number;
}

/** How a topic is kept. What the log behind has not got is undefined: copies of records, in Postgres. */
export interface TopicSettings {
  readonly partitions: number;
  /** Brokers that are known to live now. */
  readonly brokers: number | undefined;
  /** Copies of each record: of the partition that has the fewest. */
  readonly replicationFactor: number | undefined;
  /** Copies that are in step now: of the partition that has the fewest. */
  readonly inSyncReplicas: number | undefined;
  /** Copies that must be there before a record is acknowledged. */
  readonly minInsyncReplicas: number | undefined;
  /** Whether a copy that lacks acknowledged records may take over: these are lost then. */
  readonly uncleanLeaderElection: boolean | undefined;
  /** `delete`, `compact`, or both. */
  readonly cleanupPolicy: string;
  /** How long records are kept, ms; undefined: for ever. */
  readonly retentionMs: number | undefined;
  /** Most bytes that are kept of one partition; undefined: no limit. */
  readonly retentionBytes: number | undefined;
  /** Largest record (on Kafka: batch of records) that the topic takes, bytes. */
  readonly maxMessageBytes: number;
}

export interface PartitionBounds {
  readonly partition: number;
  /** First offset still kept. Equals `end` where the partition is empty. */
  readonly first: bigint;
  /** The offset that the next record gets. */
  readonly end: bigint;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionOffset {
  readonly partition: number;
  readonly offset: bigint;
}

export interface Position extends TopicPartition {
  readonly offset: bigint;
}

export interface Batch extends TopicPartition {
  /** In offset order, without gaps but those of compaction or transactions; never empty. */
  readonly records: readonly LogRecord[];
  /** The offset that the next record got when these were fetched: how far behind they are. */
  readonly end?: bigint;
}

export interface SubscribeOptions {
  readonly group: string;
  readonly topics: readonly string[];
  /**
   * Called with the partitions that this member gets, before any of their records. Resolves to where each
   * starts; a partition left out stays assigned and silent. A rejection is retried with back-off: nothing is
   * delivered meanwhile.
   */
  onAssigned(partitions: readonly TopicPartition[]): Promise<readonly Position[]>;
  /**
   * These partitions are no longer ours. `clean`: nothing of them was under way (graceful stop, or between
   * units).
   */
  onRevoked(partitions: readonly TopicPartition[], clean: boolean): Promise<void>;
  /**
   * All that has arrived for this member, across its partitions; called again only after it resolved.
   * Resolves to the next offset of each partition that moved; what is not named is delivered again (soon: the
   * caller waits by itself where it wants a pause). A rejection means that nothing moved; delivery is retried
   * with back-off.
   */
  onBatches(batches: readonly Batch[], unit: DeliveryContext): Promise<readonly Position[]>;
  /**
   * A partition can't go on: `PositionOutOfRangeError`, or a topic that vanished. It stands still; others
   * flow.
   */
  onPartitionError(partition: TopicPartition, error: Error): void;
  /** For logs: something went wrong and the subscription goes on by itself (join failed, broker away). */
  onError(error: Error): void;
  /**
   * Upper bounds of what one `onBatches` gets. Defaults: 500 records, 4 MiB. A single larger record comes
   * alone.
   */
  readonly maxRecords?: number;
  readonly maxBytes?: number;
  /** A member that the log has not heard of for this long loses its partitions (ms). Default 10,000. */
  readonly sessionTimeoutMs?: number;
}

export interface DeliveryContext {
  /**
   * Aborted when the subscription stops or these partitions are known to be lost: the work may end early, or
   * go on.
   */
  readonly signal: AbortSignal;
}

export interface Subscription {
  /** The partitions that this member holds now. */
  assigned(): readonly TopicPartition[];
  /**
   * Stops delivering `partitions` until `resume`. Survives nothing: after a rebalance all are delivered
   * again.
   */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** Moves an assigned partition; what was fetched and not yet handled is dropped. */
  seek(position: Position): void;
  /** True while the member is part of its group and its loop lives: for readiness. */
  healthy(): boolean;
  /**
   * Stops fetching, waits for the unit under way, gives the partitions back, leaves the group. Idempotent.
   */
  stop(): Promise<void>;
}
