import { type Logger, run, Shutdown, statement } from '@aura/platform';
import { type DynamicModule, Module } from '@nestjs/common';
import type { Pool } from 'pg';
import { DataSource, EntityManager } from 'typeorm';
import type { Config } from '../config/config.js';
import { Health } from '../health/health.js';
import { CONFIG, LOGGER, START_SIGNAL } from '../tokens.js';
import { dataSourceOf, type DatabaseOptions, whenReachable } from './connection.js';
import { migrate, type Migrations } from './migrate.js';

export interface DatabaseModuleOptions extends Omit<DatabaseOptions, 'name' | 'url' | 'poolSize'> {
  /** In the order in which they run. */
  readonly migrations: Migrations;
  /** Default: `databaseUrl` of the configuration. */
  readonly url?: string;
  /** Default: `databasePoolSize` of the configuration. */
  readonly poolSize?: number;
}

/** Holds the providers of `databaseModule`. */
@Module({})
class DatabaseModule {}

const PING = statement('database_ping', 'select 1');

/**
 * The service's database, for every module: `DataSource`, `EntityManager`, and repositories through
 * `TypeOrmModule.forFeature([...])` of @nestjs/typeorm. Waits for a database that is away, migrates,
 * connects; adds the readiness check `database`; closes with the pools.
 *
 * Makes the start fail with `TransientError` (away for longer than `databaseWaitMs`), `TerminalError` (it
 * refuses this user or has no such database), `InvariantError` (a migration failed).
 */
export function databaseModule(options: DatabaseModuleOptions): DynamicModule {
  return {
    module: DatabaseModule,
    global: true,
    providers: [
      {
        provide: DataSource,
        inject: [CONFIG, LOGGER, Shutdown, Health, START_SIGNAL],
        useFactory: (...parts: Parts) => connect(options, ...parts),
      },
      { provide: EntityManager, inject: [DataSource], useFactory: (source: DataSource) => source.manager },
    ],
    exports: [DataSource, EntityManager],
  };
}

type Parts = [config: Config, logger: Logger, shutdown: Shutdown, health: Health, signal: AbortSignal];

async function connect(options: DatabaseModuleOptions, ...parts: Parts): Promise<DataSource> {
  const [config, logger, shutdown, health, signal] = parts;
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
  const wait = { waitMs: config.databaseWaitMs, signal };
  const what = `the database of ${config.name} at ${addressOf(settings.url)}`;
  await whenReachable(what, () => migrate({ ...settings, waitMs: wait.waitMs }, logger), logger, wait);
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
