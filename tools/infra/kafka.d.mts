/** Where and how a Kafka of one's own runs. */
export interface KafkaOptions {
  /** Its folder: data, logs, and `kafka.json`, which other processes find it by. */
  readonly dir: string;
  /** A port that the first broker must have (the others follow). Without one: the last one, or a free one. */
  readonly port?: number;
  readonly registryPort?: number;
  /** 1 (default), 2 or 3; with 2 or more, topics are replicated by default. Fixed for a folder. */
  readonly brokers?: 1 | 2 | 3;
  /** Whether to start a schema registry too; default true. It keeps its schemas in memory. */
  readonly registry?: boolean;
  /** Aborted: the start fails, and nothing stays running. */
  readonly signal?: AbortSignal;
}

export interface KafkaServer {
  /** For `KAFKA_BROKERS`. */
  readonly brokers: string;
  /** For `SCHEMA_REGISTRY_URL` (Confluent's API); undefined without a registry. */
  readonly registryUrl: string | undefined;
  readonly pids: { readonly brokers: number[]; readonly registry: number | undefined };
  /** Stops all of it in order; true when something ran. The data stays. */
  stop(): Promise<boolean>;
  /**
   * Kills all of it (SIGKILL), as a crash would. Start it again with the same `dir`: same ports, same data.
   */
  kill(): Promise<boolean>;
}

/**
 * Starts a Kafka in `dir`, or finds the one that runs there. It outlives this process: whoever starts it
 * stops it. Rejects with a `Problem` where Java or Maven is missing, a port is taken, or a server does not
 * come up.
 */
export function startKafka(options: KafkaOptions): Promise<KafkaServer>;

/** What runs in a folder; null when nothing was ever started there. */
export function kafkaStatus(options: {
  readonly dir: string;
}): (Pick<KafkaServer, 'brokers' | 'registryUrl' | 'pids'> & { readonly running: boolean }) | null;

/** Stops what runs in a folder, whoever started it; false when nothing did. */
export function stopKafka(options: { readonly dir: string }): Promise<boolean>;

/**
 * Kills one broker (`id` from 1) of a folder with SIGKILL; false where it does not run. `startKafka` with the
 * same `dir` and number of brokers brings it back, on the same port with the same data.
 */
export function killBroker(options: { readonly dir: string; readonly id: number }): Promise<boolean>;

/** One of a test run's own, in a temporary folder that `stop` removes. */
export function startTestKafka(
  options?: Omit<KafkaOptions, 'dir'>,
): Promise<KafkaServer & { readonly dir: string }>;
