import { resolve } from 'node:path';
import { ensureDatabase, startPostgres } from '@aura/tools/postgres';
import { startKafka } from '@aura/tools/kafka';
import type { DemoOptions } from './options.js';

/** Those of a purchase, in the order in which they are needed. */
export const SHOP_SERVICES = ['inventory', 'payments', 'delivery', 'checkout'] as const;
const SERVICES = ['gateway', 'image-analysis', ...SHOP_SERVICES] as const;
export type ServiceName = (typeof SERVICES)[number];

interface StartedServer {
  /** How it went, and where it is. */
  readonly words: string;
  /** Where the data is, in words. */
  readonly places: readonly string[];
  stop(): Promise<void>;
}

export interface StartedPostgres extends StartedServer {
  /** A database for each service, with a role that can enter no other. */
  readonly databases: Readonly<Record<ServiceName, string>>;
  /** Of the log's own database. */
  readonly logUrl: string;
}

export interface StartedKafka extends StartedServer {
  /** The settings with which a service uses it. */
  readonly log: Readonly<Record<string, string>>;
}

/**
 * A durable Postgres with a database per service and one for the log. Services on Kafka have databases of
 * their own: positions in one log mean nothing in another, and a reader would rightly refuse to go on (E10).
 */
export async function postgres({ dir, postgresPort, kafka: onKafka }: DemoOptions): Promise<StartedPostgres> {
  const server = await startPostgres({
    dir: resolve(dir, 'postgres'),
    ...(postgresPort === undefined ? {} : { port: postgresPort }),
  });
  const entries: [ServiceName, string][] = [];
  for (const service of SERVICES) {
    const name = `${service.replaceAll('-', '_')}${onKafka ? '_on_kafka' : ''}`;
    entries.push([service, await ensureDatabase(server.url, { name })]);
  }
  const logUrl = await ensureDatabase(server.url, { name: 'event_log' });
  return {
    databases: Object.fromEntries(entries) as Record<ServiceName, string>,
    logUrl,
    places: [`Postgres: ${server.dir}`, ...(server.notice ? [server.notice] : [])],
    words: `${server.outcome} on 127.0.0.1:${server.port}`,
    stop: () => server.stop(),
  };
}

/** A Kafka broker and a schema registry: the given ones, or our own. */
export async function kafka({ dir }: DemoOptions, signal: AbortSignal): Promise<StartedKafka> {
  const { KAFKA_BROKERS: brokers, SCHEMA_REGISTRY_URL: registryUrl } = process.env;
  if (brokers && registryUrl)
    return {
      log: kafkaSettings(brokers, registryUrl),
      places: [],
      words: `given: ${brokers}`,
      stop: async () => undefined,
    };
  const folder = resolve(dir, 'kafka');
  const server = await startKafka({ dir: folder, signal });
  return {
    log: kafkaSettings(server.brokers, server.registryUrl ?? ''),
    places: [`Kafka: ${folder}`],
    words: `${server.brokers}, registry ${server.registryUrl}`,
    stop: async () => void (await server.stop()),
  };
}

function kafkaSettings(brokers: string, registryUrl: string): Record<string, string> {
  return { AURA_LOG_KIND: 'kafka', AURA_BROKERS: brokers, AURA_REGISTRY_URL: registryUrl };
}
