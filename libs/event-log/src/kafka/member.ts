import { TransientError } from '@aura/platform';
import { PartitionAssigners, type Consumer, type EachBatchPayload, type Kafka } from 'kafkajs';
import { UnknownTopicError } from '../errors.js';
import type { SubscribeOptions, TopicPartition } from '../event-log.js';
import { RETRY } from './client.js';
import { toLogError, within } from './kafka-errors.js';
import type { Topics } from './topics.js';

/**
 * What happens to a member, as calls. None may throw. `joined` and `lost` do their first part before they
 * return.
 */
export interface MemberEvents {
  joined(consumer: Consumer, partitions: readonly TopicPartition[]): void;
  /** `orderly`: before anybody else could have had them. */
  lost(orderly: boolean): void;
  batch(payload: EachBatchPayload): Promise<void>;
  /** Records `from`..`to` exist, but not for readers (transaction markers, aborted records, compaction). */
  passedOver(partition: TopicPartition, from: bigint, to: bigint): void;
  missing(error: UnknownTopicError): void;
  error(error: Error): void;
}

type Config = Pick<SubscribeOptions, 'group' | 'topics'> & {
  readonly sessionTimeoutMs: number;
  readonly maxBytes: number;
};

const STOP_TIMEOUT_MS = 10_000;
const MISSING_CHECK_MS = 2_000;
const BACKOFF = { initialMs: 100, maxMs: 5_000 };
/**
 * How long a fetch waits at the broker for a first record; records end the wait at once, so it adds nothing
 * to a hop: every partition that flows is in every fetch, because the batches of one fetch end together. It
 * delays what was resumed or moved while the fetch waited, and `stop`, by as much.
 */
const FETCH_WAIT_MS = 250;

/**
 * One member of a consumer group: a kafkajs consumer that is made anew, with back-off, whenever kafkajs gives
 * it up.
 *
 * Topics that do not exist (yet) are left out, reported, and looked for again: one missing topic stops the
 * metadata of all.
 */
export class Member {
  #consumer: Consumer | undefined;
  #running: Promise<void> | undefined;
  #end: (() => void) | undefined;
  #wake: (() => void) | undefined;
  #stopping = false;
  #lastSign = -Infinity;
  #failures = 0;

  constructor(
    private readonly client: () => Kafka,
    private readonly topics: Topics,
    private readonly config: Config,
    private readonly events: MemberEvents,
  ) {}

  /**
   * Resolves when the first attempt to join is under way, or could not be made: a group may be slow to let
   * in.
   */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#running = this.#run(resolve);
    });
  }

  /** True while heartbeats get through. */
  healthy(): boolean {
    return !this.#stopping && performance.now() - this.#lastSign <= this.config.sessionTimeoutMs;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#end?.();
    this.#wake?.();
    await this.#running;
  }

  async #run(attempted: () => void): Promise<void> {
    while (!this.#stopping) {
      const ended = Promise.withResolvers<void>();
      this.#end = ended.resolve;
      let watch: NodeJS.Timeout | undefined;
      try {
        watch = this.#watchFor(await this.#join(ended.resolve, attempted), ended.resolve);
        await ended.promise;
      } catch (error) {
        this.#failures += 1;
        this.events.error(toLogError(error, `joining group ${this.config.group}`));
        attempted();
      } finally {
        clearInterval(watch);
      }
      await this.#leave();
      if (!this.#stopping) await this.#backOff();
    }
  }

  /** Starts a consumer of the topics that exist; returns the others. */
  async #join(end: () => void, attempted: () => void): Promise<string[]> {
    const { group, topics } = this.config;
    const known = new Set((await this.topics.describe(topics)).map((t) => t.name));
    const missing = topics.filter((t) => !known.has(t));
    for (const topic of missing) this.events.missing(new UnknownTopicError(topic));
    if (known.size === 0) {
      this.#lastSign = -Infinity;
      attempted();
      return missing;
    }
    const consumer = this.#create();
    this.#consumer = consumer;
    this.#listen(consumer, end);
    await consumer.connect();
    // From the beginning even where nothing is known: from the end, a jump would swallow records unseen (hole
    // H53).
    await consumer.subscribe({ topics: [...known], fromBeginning: true });
    attempted();
    const concurrently = (await this.topics.describe([...known])).reduce((sum, t) => sum + t.partitions, 0);
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      // All batches of a fetch at once, so that they can share a unit; kafkajs counts partitions here.
      partitionsConsumedConcurrently: Math.max(1, concurrently),
      eachBatch: (payload) => this.events.batch(payload),
    });
    if (this.#lastSign === -Infinity) throw new TransientError(`group ${group} could not be joined`);
    return missing;
  }

  #create(): Consumer {
    const { group, sessionTimeoutMs, maxBytes } = this.config;
    return this.client().consumer({
      groupId: group,
      allowAutoTopicCreation: false,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatMs(sessionTimeoutMs),
      rebalanceTimeout: 60_000,
      metadataMaxAge: 60_000,
      maxBytes,
      maxBytesPerPartition: Math.min(maxBytes, 1 << 20),
      maxWaitTimeInMs: FETCH_WAIT_MS,
      retry: { ...RETRY, restartOnFailure: () => Promise.resolve(false) },
      partitionAssigners: [PartitionAssigners.roundRobin],
    });
  }

  #listen(consumer: Consumer, end: () => void): void {
    const alive = (): void => {
      this.#lastSign = performance.now();
    };
    consumer.on(consumer.events.HEARTBEAT, alive);
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (consumer !== this.#consumer) return;
      alive();
      this.#failures = 0;
      const assigned = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) =>
        partitions.map((partition) => ({ topic, partition })),
      );
      this.events.joined(consumer, assigned);
    });
    consumer.on(consumer.events.REBALANCING, () => this.events.lost(true));
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      this.#lastSign = -Infinity;
      this.#failures += 1;
      this.events.lost(false);
      this.events.error(toLogError(payload.error, `consuming as ${this.config.group}`));
      end();
    });
    consumer.on(consumer.events.START_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize > 0) return;
      const { topic, partition, firstOffset, lastOffset } = payload;
      this.events.passedOver({ topic, partition }, BigInt(firstOffset ?? lastOffset), BigInt(lastOffset));
    });
  }

  /** Looks for topics that were missing; when one is there the member joins anew, with it. */
  #watchFor(missing: readonly string[], found: () => void): NodeJS.Timeout | undefined {
    if (missing.length === 0) return undefined;
    return setInterval(() => {
      void this.#look(missing, found);
    }, MISSING_CHECK_MS);
  }

  async #look(missing: readonly string[], found: () => void): Promise<void> {
    try {
      if ((await this.topics.describe(missing)).length > 0) found();
    } catch (error) {
      this.events.error(toLogError(error, `looking for ${missing.join(', ')}`));
    }
  }

  async #leave(): Promise<void> {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    this.events.lost(true);
    if (!consumer) return;
    try {
      await within(STOP_TIMEOUT_MS, `leaving group ${this.config.group}`, consumer.disconnect());
    } catch (error) {
      this.events.error(toLogError(error, `leaving group ${this.config.group}`));
    }
  }

  #backOff(): Promise<void> {
    const ms = Math.random() * Math.min(BACKOFF.maxMs, BACKOFF.initialMs * 2 ** Math.min(this.#failures, 10));
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Six heartbeats a session: five may get lost. */
export function heartbeatMs(sessionTimeoutMs: number): number {
  return Math.floor(sessionTimeoutMs / 6);
}
