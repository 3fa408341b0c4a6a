import type {
  DeliveryContext,
  EventLog,
  LogRecord,
  NewRecord,
  PartitionBounds,
  PartitionOffset,
  Position,
  SubscribeOptions,
  Subscription,
  TopicPartition,
} from '@aura/event-log';

/** Where each partition ends, by what was delivered of it: tests have topics of their own. */
const ends = new Map<string, bigint>();

/**
 * A log whose deliveries the test makes by itself: for two members that both believe, for crashes at a
 * chosen statement, for batches of a chosen shape. It keeps nothing and moves nothing.
 */
export class HandDrivenLog {
  readonly paused: string[] = [];
  /** What `scan` finds; a test puts it there. */
  readonly kept: LogRecord[] = [];
  /** What the log says this member holds; a test sets it. */
  held: readonly TopicPartition[] = [];
  /** Whether it counts this member among the living, and how often it was asked. */
  alive = true;
  asked = 0;
  /** What the member has moved by itself and then let go on, in order. */
  readonly moved: string[] = [];
  /** What the log knows of the group: partitions it knows nothing of are left out. */
  committed: readonly PartitionOffset[] = [];
  #options: SubscribeOptions | undefined;

  /** Ends grow with what is delivered, for every hand-driven log of the topic: it is one log. */
  constructor(private readonly topicBounds: readonly PartitionBounds[]) {}

  /** For `ConsumerOptions.log`. */
  get port(): EventLog {
    const used: Pick<EventLog, 'kind' | 'subscribe' | 'bounds' | 'scan' | 'groupOffsets'> = {
      kind: 'postgres',
      subscribe: (options) => {
        this.#options = options;
        return Promise.resolve(this.#subscription());
      },
      bounds: (topic) =>
        Promise.resolve(
          this.topicBounds.map(({ partition, first, end }) => {
            const delivered = ends.get(`${topic}/${partition}`) ?? 0n;
            return { partition, first, end: delivered > end ? delivered : end };
          }),
        ),
      groupOffsets: () => Promise.resolve([...this.committed]),
      scan: (topic, partition, from, to) => this.#scan(topic, partition, from, to),
    };
    return used as EventLog;
  }

  get options(): SubscribeOptions {
    if (!this.#options) throw new Error('nobody has subscribed');
    return this.#options;
  }

  /** Assigns these partitions; where each starts, by partition. */
  async assign(topic: string, ...partitions: number[]): Promise<Map<number, bigint>> {
    const positions = await this.options.onAssigned(partitions.map((partition) => ({ topic, partition })));
    return new Map(positions.map(({ partition, offset }) => [partition, offset]));
  }

  /** One delivery; where the partitions stand after it. */
  deliver(records: readonly LogRecord[], signal?: DeliveryContext['signal']): Promise<readonly Position[]> {
    const partitions = Map.groupBy(records, (record) => record.partition);
    for (const { topic, partition, offset } of records) {
      const place = `${topic}/${partition}`;
      if (offset >= (ends.get(place) ?? 0n)) ends.set(place, offset + 1n);
    }
    const batches = [...partitions.values()].map((group) => {
      const { topic, partition } = group[0] as LogRecord;
      return { topic, partition, records: group };
    });
    return this.options.onBatches(batches, { signal: signal ?? new AbortController().signal });
  }

  async *#scan(topic: string, partition: number, from: bigint, to: bigint): AsyncIterable<LogRecord> {
    for (const record of this.kept)
      if (record.topic === topic && record.partition === partition)
        if (record.offset >= from && record.offset < to) yield await Promise.resolve(record);
  }

  /** Delivers again what is not done, as a log does, for as long as something moves. */
  async deliverAll(records: readonly LogRecord[], signal?: AbortSignal): Promise<void> {
    let left = records;
    for (let moved = true; moved && left.length > 0;) {
      const positions = await this.deliver(left, signal);
      const next = new Map(positions.map(({ partition, offset }) => [partition, offset]));
      const rest = left.filter(({ partition, offset }) => offset >= (next.get(partition) ?? 0n));
      moved = rest.length < left.length && signal?.aborted !== true;
      left = rest;
    }
  }

  #subscription(): Subscription {
    return {
      assigned: () => this.held,
      pause: (partitions) => this.paused.push(...partitions.map((p) => `${p.partition}`)),
      resume: (partitions) => this.moved.push(...partitions.map((p) => `resume ${p.partition}`)),
      seek: (p) => this.moved.push(`seek ${p.partition} to ${p.offset}`),
      healthy: () => ++this.asked > 0 && this.alive,
      stop: () => Promise.resolve(),
    };
  }
}

/** `record` as the log would give it back. */
export function at(partition: number, offset: number, record: NewRecord): LogRecord {
  return { ...record, partition, offset: BigInt(offset), timestampMs: Date.now() };
}
