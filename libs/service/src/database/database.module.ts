import { type Logger, run, Shutdown, statement } from '@aura/platform';
import type { DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import type { Config } from '../config/config.js';
import { Health } from '../health/health.js';
import { CONFIG, LOGGER } from '../tokens.js';
import { dataSourceOf, type DatabaseOptions, whenReachable } from './connection.js';
import { migrate, type Migrations } from './migrate.js';

export interface DatabaseModuleOptions extends Omit<DatabaseOptions, 'name' | 'url' | 'poolSize'> {
  readonly migrations: Migrations;
  /** Default: `databaseUrl` of the configuration. */
  readonly url?: string;
  /** Default: `databasePoolSize` of the configuration. */
  readonly poolSize?: number;
}

const PING = statement('database_ping', 'select 1');

/**
 * The service's database as TypeORM's `DataSource` (and `EntityManager`, and repositories by `TypeOrmModule.forFeature`):
 * waits for a database that is away, migrates, connects; adds the readiness check `database`; closes with the pools.
 */
export function databaseModule(options: DatabaseModuleOptions): DynamicModule {
  return TypeOrmModule.forRootAsync({
    inject: [CONFIG, LOGGER, Shutdown, Health],
    useFactory: (config: Config, logger: Logger, shutdown: Shutdown, health: Health) => ({
      type: 'postgres',
      // Nest's own retries sleep without a word; ours say what they wait for.
      retryAttempts: 0,
      service: { config, logger, shutdown, health },
    }),
    dataSourceFactory: (given) => {
      const { service } = given as unknown as { service: Parameters<typeof connect>[1] };
      return connect(options, service);
    },
  });
}

async function connect(
  options: DatabaseModuleOptions,
  service: { config: Config; logger: Logger; shutdown: Shutdown; health: Health },
): Promise<DataSource> {
  const { config, logger, shutdown, health } = service;
  const settings = {
    ...options,
    name: config.name,
    url: options.url ?? config.databaseUrl.reveal(),
    poolSize: options.poolSize ?? config.databasePoolSize,
  };
  const dataSource = dataSourceOf(settings, logger);
  shutdown.add('pools', 'database', async () => {
    if (dataSource.isInitialized) await dataSource.destroy();
  });
  const wait = { waitMs: config.databaseWaitMs };
  const what = `the database of ${config.name} at ${addressOf(settings.url)}`;
  await whenReachable(what, () => migrate(settings, logger), logger, wait);
  await whenReachable(what, () => dataSource.initialize(), logger, wait);
  const pool = (dataSource.driver as unknown as { master: Pool }).master;
  health.add('database', async () => {
    await run(pool, PING);
  });
  return dataSource;
}

/** Host, port and database: what a person needs to find it, without user and password. */
function addressOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
