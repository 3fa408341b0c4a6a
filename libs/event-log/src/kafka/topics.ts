import { TransientError } from '@aura/platform';
import {
  PartitionAssigners,
  type Admin,
  type Broker,
  type Cluster,
  type Consumer,
  type DescribeConfigResponse,
  type Kafka,
  type ResourceConfigQuery,
} from 'kafkajs';
import { UnknownTopicError } from '../errors.js';
import type {
  PartitionBounds,
  PartitionOffset,
  TopicDescription,
  TopicSettings,
  TopicSpec,
} from '../event-log.js';
import { connectOrEnd, isUnknownTopic, protocolType, toLogError, within } from './kafka-errors.js';

/** Leader of each partition, by partition number. Its length is the partition count. */
export type TopicLayout = readonly number[];

const LAYOUT_MAX_AGE_MS = 60_000;
const CALL_TIMEOUT_MS = 15_000;

/**
 * What the log knows about its topics.
 *
 * It asks through kafkajs's `Cluster`, which a partition assigner is given (a documented hook), and not
 * through its `admin`: that one swallows a broker's error where a topic was deleted, and then dies of a
 * TypeError. One unknown topic spoils a cluster's every later refresh, so after any error the cluster is
 * thrown away.
 */
export class Topics {
  readonly #layouts = new Map<string, { layout: TopicLayout; at: number }>();
  #cluster: Promise<Connected> | undefined;
  #admin: Promise<Admin> | undefined;

  constructor(private readonly kafka: Kafka) {}

  /** From a cache of a minute; `forget` after an error that a moved partition would explain. */
  async layout(topic: string): Promise<TopicLayout> {
    const known = this.#layouts.get(topic);
    if (known && performance.now() - known.at < LAYOUT_MAX_AGE_MS) return known.layout;
    const layout = await this.withTopic(topic, async (cluster) => layoutOf(cluster, topic));
    this.#layouts.set(topic, { layout, at: performance.now() });
    return layout;
  }

  forget(topic: string): void {
    this.#layouts.delete(topic);
  }

  async describe(names: readonly string[]): Promise<TopicDescription[]> {
    const found: TopicDescription[] = [];
    for (const name of new Set(names)) {
      this.forget(name);
      try {
        found.push({ name, partitions: (await this.layout(name)).length });
      } catch (error) {
        if (!(error instanceof UnknownTopicError)) throw error;
      }
    }
    return found;
  }

  async bounds(topic: string): Promise<PartitionBounds[]> {
    return this.withTopic(topic, async (cluster) => {
      const partitions = layoutOf(cluster, topic).map((_, partition) => ({ partition }));
      const [low, high] = await Promise.all(
        [true, false].map((fromBeginning) =>
          cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }]),
        ),
      );
      const ends = offsetsByPartition(high);
      return [...offsetsByPartition(low)]
        .map(([partition, first]) => ({ partition, first, end: ends.get(partition) ?? first }))
        .toSorted((a, b) => a.partition - b.partition);
    });
  }

  async offsetsAt(topic: string, time: Date): Promise<PartitionOffset[]> {
    return this.withTopic(topic, async (cluster) => {
      const partitions = layoutOf(cluster, topic).map((_, partition) => ({ partition }));
      const [at, end] = await Promise.all([
        cluster.fetchTopicsOffset([{ topic, partitions, fromTimestamp: time.getTime() }]),
        cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning: false }]),
      ]);
      const ends = offsetsByPartition(end);
      return [...offsetsByPartition(at)]
        .map(([partition, offset]) => ({
          partition,
          offset: offset < 0n ? (ends.get(partition) ?? 0n) : offset,
        }))
        .toSorted((a, b) => a.partition - b.partition);
    });
  }

  /** What the group's coordinator keeps of its positions; empty where it or the topic is unknown. */
  async groupOffsets(group: string, topic: string): Promise<PartitionOffset[]> {
    try {
      return await this.withTopic(topic, async (cluster) => {
        const partitions = layoutOf(cluster, topic).map((_, partition) => ({ partition, offset: '' }));
        const coordinator = await cluster.findGroupCoordinator({ groupId: group });
        const { responses } = await coordinator.offsetFetch({
          groupId: group,
          topics: [{ topic, partitions }],
        });
        return [...offsetsByPartition(responses)]
          .map(([partition, offset]) => ({ partition, offset }))
          .filter(({ offset }) => offset >= 0n)
          .toSorted((a, b) => a.partition - b.partition);
      });
    } catch (error) {
      if (error instanceof UnknownTopicError) return [];
      throw error;
    }
  }

  /** Not through `admin`: that one asks for every topic, and fails where any of them has no leader. */
  settings(topic: string): Promise<TopicSettings> {
    return this.withTopic(topic, async (cluster) => {
      const partitions = cluster.findTopicPartitionMetadata(topic);
      const [nodeId] = cluster.getNodeIds();
      const broker = (await cluster.findBroker({ nodeId: String(nodeId) })) as Broker & DescribesConfigs;
      const asked = { type: TOPIC, name: topic, configNames: SETTINGS };
      const { resources } = await broker.describeConfigs({ resources: [asked] });
      const entries = resources[0]?.configEntries ?? [];
      return {
        partitions: partitions.length,
        brokers: cluster.getNodeIds().length,
        replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        inSyncReplicas: Math.min(...partitions.map(({ isr }) => isr.length)),
        ...settingsOf(new Map(entries.map((entry) => [entry.configName, entry.configValue]))),
      };
    });
  }

  /** Creates what is missing and waits until every partition has a leader. Two callers at once are one. */
  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    const known = new Set((await this.describe(specs.map((s) => s.name))).map((t) => t.name));
    const missing = specs.filter((s) => !known.has(s.name));
    if (missing.length === 0) return;
    const names = missing.map((s) => s.name).join(', ');
    try {
      const admin = await (this.#admin ??= this.#connectAdmin());
      const topics = missing.map((spec) => ({
        topic: spec.name,
        numPartitions: spec.partitions,
        replicationFactor: spec.replicationFactor ?? -1, // the brokers' own
        configEntries: [
          { name: 'cleanup.policy', value: 'delete' },
          ...(spec.retentionMs === undefined
            ? []
            : [{ name: 'retention.ms', value: String(spec.retentionMs) }]),
        ],
      }));
      await within(
        CALL_TIMEOUT_MS,
        `creating ${names}`,
        admin.createTopics({ topics, waitForLeaders: false }),
      );
    } catch (error) {
      this.#dropAdmin();
      if (!isAlreadyThere(error)) throw toLogError(error, `creating ${names}`);
    }
    for (const { name } of missing) await this.#untilServed(name);
  }

  async ping(timeoutMs: number): Promise<void> {
    const connected = this.#connected();
    const ask = async (): Promise<void> => {
      const { cluster } = await connected;
      if (cluster.getNodeIds().length === 0) await cluster.refreshMetadata();
      const brokers = cluster.getNodeIds().map((nodeId) => cluster.findBroker({ nodeId: String(nodeId) }));
      await Promise.any(brokers.map(async (broker) => (await broker).apiVersions()));
    };
    try {
      await within(timeoutMs, 'asking Kafka whether it is there', ask());
    } catch (error) {
      this.#drop(connected);
      throw toLogError(error, 'asking Kafka whether it is there');
    }
  }

  /**
   * Runs `use` on a cluster that knows `topic`; once more after an error, on a cluster of its own: old
   * metadata would explain it, or another topic that was asked for at once and does not exist.
   */
  async withTopic<T>(topic: string, use: (cluster: Cluster) => Promise<T>): Promise<T> {
    const attempt = async (connected: Promise<Connected>): Promise<T> => {
      const { cluster } = await connected;
      await cluster.addTargetTopic(topic);
      await cluster.refreshMetadata();
      return use(cluster);
    };
    const what = `asking Kafka about ${topic}`;
    const shared = this.#connected();
    try {
      return await within(CALL_TIMEOUT_MS, what, attempt(shared));
    } catch {
      this.#drop(shared);
    }
    const own = connectCluster(this.kafka);
    try {
      return await within(CALL_TIMEOUT_MS, what, attempt(own));
    } catch (error) {
      this.forget(topic);
      throw isUnknownTopic(error) ? new UnknownTopicError(topic) : toLogError(error, what);
    } finally {
      this.#drop(own);
    }
  }

  async close(): Promise<void> {
    const [admin, cluster] = [this.#admin, this.#cluster];
    this.#admin = this.#cluster = undefined;
    await Promise.allSettled([
      admin?.then((a) => a.disconnect()),
      cluster?.then((c) => c.consumer.disconnect()),
    ]);
  }

  async #untilServed(topic: string): Promise<void> {
    const end = performance.now() + CALL_TIMEOUT_MS;
    for (;;) {
      this.forget(topic);
      try {
        if ((await this.layout(topic)).every((leader) => leader >= 0)) return;
      } catch (error) {
        if (performance.now() > end) throw error;
      }
      if (performance.now() > end)
        throw new TransientError(`topic ${topic} was created, but has no leaders yet`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #connected(): Promise<Connected> {
    return (this.#cluster ??= connectCluster(this.kafka));
  }

  /** Another caller may have put a new one in its place. */
  #drop(old: Promise<Connected>): void {
    if (this.#cluster === old) this.#cluster = undefined;
    old.then(({ consumer }) => consumer.disconnect()).catch(() => undefined); // it is given up either way
  }

  async #connectAdmin(): Promise<Admin> {
    const admin = this.kafka.admin();
    await connectOrEnd(admin);
    return admin;
  }

  #dropAdmin(): void {
    const old = this.#admin;
    this.#admin = undefined;
    old?.then((admin) => admin.disconnect()).catch(() => undefined); // it is given up either way
  }
}

interface Connected {
  readonly cluster: Cluster;
  readonly consumer: Consumer;
}

/** A connected `Cluster` of its own. The consumer around it never runs: no group is joined. */
export async function connectCluster(kafka: Kafka): Promise<Connected> {
  let cluster: Cluster | undefined;
  const consumer = kafka.consumer({
    groupId: 'aura-reads-without-group',
    allowAutoTopicCreation: false,
    partitionAssigners: [
      (config) => {
        cluster = config.cluster;
        return PartitionAssigners.roundRobin(config);
      },
    ],
  });
  await connectOrEnd(consumer);
  if (!cluster) throw new Error('kafkajs no longer gives its cluster to a partition assigner');
  return { cluster, consumer };
}

function layoutOf(cluster: Cluster, topic: string): TopicLayout {
  const leaders: number[] = [];
  for (const { partitionId, leader } of cluster.findTopicPartitionMetadata(topic))
    leaders[partitionId] = leader;
  return leaders;
}

function offsetsByPartition(
  topics: Awaited<ReturnType<Cluster['fetchTopicsOffset']>> | undefined,
): Map<number, bigint> {
  return new Map(
    (topics ?? []).flatMap((t) => t.partitions.map((p) => [p.partition, BigInt(p.offset)] as const)),
  );
}

/** `ConfigResourceTypes.TOPIC`, which Node can't import by name out of kafkajs. */
const TOPIC = 2;

/** Not in kafkajs's types. */
interface DescribesConfigs {
  describeConfigs(asked: { resources: readonly ResourceConfigQuery[] }): Promise<DescribeConfigResponse>;
}

const SETTINGS = [
  'min.insync.replicas',
  'unclean.leader.election.enable',
  'cleanup.policy',
  'retention.ms',
  'retention.bytes',
  'max.message.bytes',
];

function settingsOf(
  values: ReadonlyMap<string, string>,
): Omit<TopicSettings, 'partitions' | 'brokers' | 'replicationFactor' | 'inSyncReplicas'> {
  const number = (name: string): number => Number(values.get(name) ?? Number.NaN);
  const limit = (name: string): number | undefined => (number(name) >= 0 ? number(name) : undefined);
  return {
    minInsyncReplicas: number('min.insync.replicas'),
    uncleanLeaderElection: values.get('unclean.leader.election.enable') === 'true',
    cleanupPolicy: values.get('cleanup.policy') ?? '',
    retentionMs: limit('retention.ms'),
    retentionBytes: limit('retention.bytes'),
    maxMessageBytes: number('max.message.bytes'),
  };
}

function isAlreadyThere(error: unknown): boolean {
  const { errors } = error as { errors?: unknown[] };
  return [error, ...(errors ?? [])].some((e) => protocolType(e) === 'TOPIC_ALREADY_EXISTS');
}
