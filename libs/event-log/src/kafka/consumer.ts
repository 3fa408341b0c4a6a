/**
 * A subscription over Kafka.
 *
 * - C1 callbacks of one subscription never overlap: revoked, assigned and units run one after the other in
 *   one lane;
 * - C2 a joined partition is paused before kafkajs can fetch from it, and resumed when the caller has said
 *   where it goes on, and the log has that position (holes H44, H53);
 * - C3 positions move only by `seek`, to what the caller returned; kafkajs resolves and commits nothing by
 *   itself;
 * - C4 all batches that have arrived share one unit; each `eachBatch` of kafkajs ends when its records are
 *   handled or dropped;
 * - C5 no error of a callback reaches kafkajs: a TypeError would end its consumer for good.
 */
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { PositionOutOfRangeError, UnknownTopicError } from '../errors.js';
import type { Batch, Position, SubscribeOptions, Subscription, TopicPartition } from '../event-log.js';
import { Fence, partitionKey } from './fence.js';
import { Intake } from './intake.js';
import { toLogError } from './kafka-errors.js';
import { LagOffsets } from './lag-offsets.js';
import { heartbeatMs, Member, type MemberEvents } from './member.js';
import { Pulse } from './pulse.js';
import { toRecord } from './records.js';
import type { Topics } from './topics.js';

const DEFAULTS = { maxRecords: 500, maxBytes: 4 << 20, sessionTimeoutMs: 10_000 };
const BACKOFF = { initialMs: 50, maxMs: 5_000 };

export class KafkaSubscription implements Subscription, MemberEvents {
  readonly #fence = new Fence();
  readonly #intake = new Intake();
  readonly #pulse: Pulse;
  readonly #member: Member;
  readonly #limits: { maxRecords: number; maxBytes: number };
  readonly #paused = new Set<string>();
  #consumer: Consumer | undefined;
  #held: readonly TopicPartition[] = [];
  #lastHeld: readonly TopicPartition[] = [];
  /** Counts joins and losses: what was begun in an older generation is void. */
  #generation = 0;
  #abort = new AbortController();
  #lane: Promise<void> = Promise.resolve();
  #unitRunning = false;
  #draining = false;
  #stopped: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  readonly #lagOffsets = new LagOffsets(
    () => this.#consumer,
    (partition) => this.#holds(partition),
  );

  constructor(
    client: () => Kafka,
    private readonly topics: Topics,
    private readonly options: SubscribeOptions,
  ) {
    const sessionTimeoutMs = options.sessionTimeoutMs ?? DEFAULTS.sessionTimeoutMs;
    const maxBytes = options.maxBytes ?? DEFAULTS.maxBytes;
    this.#limits = { maxRecords: options.maxRecords ?? DEFAULTS.maxRecords, maxBytes };
    this.#pulse = new Pulse(heartbeatMs(sessionTimeoutMs), () => this.#abort.abort());
    this.#member = new Member(
      client,
      topics,
      {
        group: options.group,
        topics: options.topics,
        sessionTimeoutMs,
        maxBytes,
      },
      this,
    );
  }

  start(): Promise<void> {
    return this.#member.start();
  }

  assigned(): readonly TopicPartition[] {
    return this.#held;
  }

  healthy(): boolean {
    return this.#member.healthy();
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions.filter((p) => this.#holds(p))) {
      this.#paused.add(partitionKey(partition));
      this.#still(partition);
    }
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      this.#paused.delete(partitionKey(partition));
      this.#flow(partition);
    }
  }

  seek({ topic, partition, offset }: Position): void {
    const at = { topic, partition };
    if (!this.#holds(at)) return;
    this.#still(at);
    this.#fence.remove(at); // what a unit under way says about it is void
    const generation = this.#generation;
    void this.#inLane(() =>
      this.#untilDone(generation, () => this.#placeAll([{ topic, partition, offset }], generation)),
    );
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#abort.abort();
    this.#wake?.();
    for (const partition of this.#held) this.#still(partition);
    await this.#lane;
    await this.#lagOffsets.commit();
    this.lost(true);
    await this.#lane; // the partitions are given back before another member can get them
    await this.#member.stop();
    this.#lagOffsets.stop();
  }

  // What happens to the member

  joined(consumer: Consumer, partitions: readonly TopicPartition[]): void {
    this.lost(false); // joined without being asked to: the group had gone on without this member
    consumer.pause(byTopic(partitions)); // C2, before this event returns
    this.#consumer = consumer;
    this.#pulse.renew();
    if (this.#stopped) return;
    this.#held = partitions;
    this.#abort = new AbortController();
    const generation = ++this.#generation;
    if (partitions.length > 0) void this.#inLane(() => this.#assign(partitions, generation));
  }

  lost(orderly: boolean): void {
    const partitions = this.#held;
    const clean = orderly && !this.#unitRunning;
    this.#held = [];
    this.#generation += 1;
    this.#fence.clear();
    this.#paused.clear();
    this.#intake.dropAll();
    this.#wake?.();
    if (partitions.length === 0) return;
    this.#lastHeld = partitions;
    this.#abort.abort();
    void this.#inLane(() => this.options.onRevoked(partitions, clean));
  }

  missing(error: UnknownTopicError): void {
    this.error(error);
    const vanished = this.#lastHeld.filter((p) => p.topic === error.topic);
    this.#lastHeld = this.#lastHeld.filter((p) => p.topic !== error.topic);
    for (const partition of vanished) this.#break(partition, error);
  }

  error(error: Error): void {
    try {
      this.options.onError(error);
    } catch {
      // C5: there is nobody left to tell
    }
  }

  async batch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const at = { topic: batch.topic, partition: batch.partition };
    if (this.#stopped || payload.isStale() || this.#paused.has(partitionKey(at))) return;
    // Not in kafkajs's types: where the fetch began, before compaction and transaction markers.
    const { fetchedOffset } = batch as typeof batch & { fetchedOffset: string };
    const verdict = this.#fence.judge(at, BigInt(fetchedOffset));
    if (verdict !== 'expected') {
      this.#still(at);
      if (verdict === 'elsewhere') this.#checkPlace(at);
      return;
    }
    const records = batch.messages.map((message) => toRecord(at.topic, at.partition, message));
    await this.#pulse.during(
      () => payload.heartbeat(),
      () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#intake.add(at, records, resolve, BigInt(batch.highWatermark));
        this.#startUnits();
        return promise;
      },
    );
  }

  passedOver(at: TopicPartition, from: bigint, to: bigint): void {
    const place = this.#fence.position(at);
    if (!place || to < place.offset) return;
    if (from === place.offset) this.#fence.advance(at, to + 1n, place.version);
    else {
      this.#still(at);
      this.#checkPlace(at, to + 1n);
    }
  }

  // Placing

  async #assign(partitions: readonly TopicPartition[], generation: number): Promise<void> {
    await this.#untilDone(generation, async () => {
      const positions = await this.options.onAssigned(partitions);
      await this.#placeAll(positions, generation);
    });
  }

  /**
   * A fetch began elsewhere: goes back to where the partition stands, or on to `next`, if the log still has
   * its place.
   */
  #checkPlace(at: TopicPartition, next?: bigint): void {
    const generation = this.#generation;
    void this.#inLane(() =>
      this.#untilDone(generation, async () => {
        const place = this.#fence.position(at);
        if (place) await this.#placeAll([{ ...at, offset: place.offset }], generation, next);
      }),
    );
  }

  /** Lets partitions flow from their positions, where the log has them; the others break. */
  async #placeAll(positions: readonly Position[], generation: number, next?: bigint): Promise<void> {
    for (const topic of new Set(positions.map((p) => p.topic))) {
      const wanted = positions.filter((p) => p.topic === topic);
      const bounds = await this.topics.bounds(topic).catch((error: unknown) => {
        if (error instanceof UnknownTopicError) return error;
        throw error;
      });
      if (generation !== this.#generation) return;
      for (const position of wanted.filter((p) => this.#holds(p))) {
        const { partition, offset } = position;
        const kept = bounds instanceof Error ? undefined : bounds.find((b) => b.partition === partition);
        if (!kept) this.#break(position, bounds instanceof Error ? bounds : new UnknownTopicError(topic));
        else if (offset < kept.first || offset > kept.end)
          this.#break(position, new PositionOutOfRangeError(position, { first: kept.first, end: kept.end }));
        else {
          this.#fence.place(position, next ?? offset);
          this.#flow(position);
        }
      }
    }
  }

  #break({ topic, partition }: TopicPartition, error: Error): void {
    const at = { topic, partition };
    this.#fence.remove(at);
    this.#still(at);
    try {
      this.options.onPartitionError(at, error);
    } catch (failure) {
      this.error(toLogError(failure, `onPartitionError of ${topic}/${partition}`));
    }
  }

  #still({ topic, partition }: TopicPartition): void {
    this.#withConsumer((consumer) => consumer.pause([{ topic, partitions: [partition] }]));
    this.#intake.drop({ topic, partition });
  }

  #flow({ topic, partition }: TopicPartition): void {
    const at = { topic, partition };
    const place = this.#fence.position(at);
    if (!place || this.#paused.has(partitionKey(at)) || this.#stopped) return;
    this.#withConsumer((consumer) => {
      consumer.seek({ topic, partition, offset: String(place.offset) });
      consumer.resume([{ topic, partitions: [partition] }]);
    });
  }

  // Units

  #startUnits(): void {
    if (this.#draining) return;
    this.#draining = true;
    void this.#inLane(async () => {
      try {
        await this.#runUnits();
      } finally {
        this.#draining = false;
      }
    });
  }

  async #runUnits(): Promise<void> {
    let failures = 0;
    while (!this.#intake.empty && !this.#stopped) {
      const generation = this.#generation;
      const failed = !(await this.#runUnit(this.#intake.take(this.#limits), generation));
      if (generation !== this.#generation) return;
      if (this.#pulse.interruption)
        this.#intake.dropAll(); // kafkajs joins again; what is left is fetched again
      else if (failed) await this.#sleep(++failures);
      else failures = 0;
    }
  }

  async #runUnit(batches: readonly Batch[], generation: number): Promise<boolean> {
    const versions = new Map(batches.map((b) => [partitionKey(b), this.#fence.position(b)?.version]));
    let positions: readonly Position[];
    this.#unitRunning = true;
    try {
      positions = await this.options.onBatches(batches, { signal: this.#abort.signal });
    } catch (error) {
      this.error(toLogError(error, `a unit of ${this.options.group}`));
      return false;
    } finally {
      this.#unitRunning = false;
    }
    if (generation !== this.#generation) return true;
    for (const { topic, partition, offset } of positions) {
      const at = { topic, partition };
      const version = versions.get(partitionKey(at));
      if (version === undefined || !this.#fence.advance(at, offset, version)) continue;
      this.#withConsumer((consumer) => consumer.seek({ topic, partition, offset: String(offset) })); // C3
      this.#intake.advance(at, offset);
      this.#lagOffsets.moved({ topic, partition, offset });
    }
    return true;
  }

  // The lane

  #inLane(work: () => Promise<void>): Promise<void> {
    const name = this.options.group;
    this.#lane = this.#lane.then(work).catch((error: unknown) => {
      this.error(toLogError(error, `the subscription of ${name}`));
    });
    return this.#lane;
  }

  /** Runs `work` until it succeeds, with back-off, as long as the generation lasts. */
  async #untilDone(generation: number, work: () => Promise<void>): Promise<void> {
    for (let failures = 1; generation === this.#generation && !this.#stopped; failures++) {
      try {
        return await work();
      } catch (error) {
        this.error(toLogError(error, `placing the partitions of ${this.options.group}`));
        await this.#sleep(failures);
      }
    }
  }

  async #sleep(failures: number): Promise<void> {
    const ms = Math.random() * Math.min(BACKOFF.maxMs, BACKOFF.initialMs * 2 ** Math.min(failures, 10));
    if (this.#stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #holds({ topic, partition }: TopicPartition): boolean {
    return this.#held.some((p) => p.topic === topic && p.partition === partition);
  }

  /**
   * kafkajs throws where its consumer has just gone: what is asked of it then is asked again when it has
   * joined anew.
   */
  #withConsumer(use: (consumer: Consumer) => void): void {
    try {
      if (this.#consumer) use(this.#consumer);
    } catch (error) {
      if (error instanceof TypeError) throw error;
    }
  }
}

function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  return [...Map.groupBy(partitions, (p) => p.topic)].map(([topic, all]) => ({
    topic,
    partitions: all.map((p) => p.partition),
  }));
}
