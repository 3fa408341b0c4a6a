import {
  ConfluentRegistry,
  Contracts,
  PostgresRegistry,
  type EventType,
  type SchemaRegistry,
} from '@aura/contracts';
import { kafkaLog, postgresLog, type EventLog } from '@aura/event-log';
import { Eventing } from '@aura/eventing';
import type { Logger } from '@aura/platform';
import type { Pool } from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import { consoleLogger as logger } from './console-logger.js';
import type { LogSettings, ServiceSettings } from './settings.js';

/** Who died is missed soon: a crash test would spend its time waiting otherwise. */
const SESSION_TIMEOUT_MS = 2_000;
const TASK_LEASE_MS = 3_000;
const PARTITIONS = 4;

export interface Service {
  readonly eventing: Eventing;
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
  readonly contracts: Contracts;
  readonly pool: Pool;
  readonly entities: EntityManager;
  readonly logger: Logger;
  /** In the order of a real service: nothing is left half done. */
  close(): Promise<void>;
}

export interface ServiceParts {
  readonly name: string;
  readonly publishes: readonly EventType[];
  readonly subscribes: readonly EventType[];
}

/** Opens the event path of a service and waits for its database, however long that is away. */
export async function openService(settings: ServiceSettings, parts: ServiceParts): Promise<Service> {
  const { databaseUrl } = settings;
  const dataSource = await patiently(() => connect(databaseUrl));
  const { log, registry } = openLog(settings.log, parts.name);
  const contracts = new Contracts({ publishes: parts.publishes, subscribes: parts.subscribes });
  const eventing = new Eventing({
    service: parts.name,
    dataSource,
    databaseUrl,
    log,
    registry,
    contracts,
    logger,
    createTopics: { partitions: PARTITIONS },
    taskLeaseMs: TASK_LEASE_MS,
    limits: { sessionTimeoutMs: SESSION_TIMEOUT_MS, maxBackoffMs: 1_000 },
  });
  await patiently(() => eventing.prepare());
  return {
    eventing,
    log,
    registry,
    contracts,
    logger,
    entities: dataSource.manager,
    pool: (dataSource.driver as unknown as { master: Pool }).master,
    async close() {
      await eventing.stopConsuming();
      await eventing.stopTasks();
      await eventing.stopPublishing();
      await Promise.all([log.close(), registry.close()]);
      await dataSource.destroy();
    },
  };
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await attempt();
    } catch (error) {
      logger.warn({ err: error }, 'start: the database is away, trying again');
      await pause(100);
    }
}

async function connect(url: string): Promise<DataSource> {
  const dataSource = new DataSource({
    type: 'postgres',
    url,
    poolSize: 10,
    connectTimeoutMS: 5_000,
    installExtensions: false,
    poolErrorHandler: (error: unknown) => logger.warn({ err: error }, 'an idle connection broke'),
    extra: { lock_timeout: 5_000, statement_timeout: 30_000, idle_in_transaction_session_timeout: 60_000 },
  });
  return dataSource.initialize();
}

function openLog(settings: LogSettings, clientId: string): { log: EventLog; registry: SchemaRegistry } {
  if (settings.kind === 'postgres')
    return {
      log: postgresLog({ url: settings.url, applicationName: `${clientId} log`, logger }),
      registry: new PostgresRegistry({ database: settings.url }),
    };
  const { brokers, registryUrl } = settings;
  return {
    log: kafkaLog({ brokers: [...brokers], clientId, logger }),
    registry: new ConfluentRegistry({ url: registryUrl }),
  };
}
