import { InvariantError, kindOf, type Logger, run, statement, TransientError } from '@aura/platform';
import { Client } from 'pg';
import type { MigrationInterface, MixedList } from 'typeorm';
import { dataSourceOf, type DatabaseOptions } from './connection.js';

// oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type of a migration class
export type Migrations = MixedList<Function> & readonly (new () => MigrationInterface)[];

/** Any number that nobody else locks in a service's database: "aura.migrations" as a hash. */
const TRY_LOCK = statement(
  'migrations_try_lock',
  `select pg_try_advisory_lock(hashtextextended('aura.service.migrations', 0)) as locked`,
);
const POLL_MS = 100;

/**
 * Brings the service's tables up to date: one replica at a time, in the order of the list, each migration
 * in a transaction of its own, forward only. Resolves to the names of those that ran now.
 *
 * The lock is polled, not waited for: a statement that waits for a lock holds a snapshot, and vacuum stops
 * behind it. It belongs to a connection of its own, so a replica that dies in the middle gives it back.
 * `statement_timeout` is off, a migration may take its time; `lock_timeout` is short, so that a migration
 * does not queue every writer behind itself.
 */
export async function migrate(
  options: Omit<DatabaseOptions, 'entities'> & { readonly migrations: Migrations; readonly waitMs?: number },
  logger: Logger,
): Promise<string[]> {
  if (options.migrations.length === 0) return [];
  const lock = new Client({
    connectionString: options.url,
    application_name: `${options.name} migrations`,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
  });
  lock.on('error', (error) =>
    logger.warn({ error }, 'the connection that holds the lock of the migrations broke'),
  );
  await lock.connect();
  try {
    await locked(lock, options.waitMs ?? 60_000, logger);
    return await runMigrations(options, logger);
  } finally {
    await lock.end();
  }
}

async function locked(client: Client, waitMs: number, logger: Logger): Promise<void> {
  const end = performance.now() + waitMs;
  for (let first = true; ; first = false) {
    const [row] = await run<{ locked: boolean }>(client, TRY_LOCK);
    if (row?.locked) return;
    if (performance.now() > end)
      throw new TransientError(`another process has been migrating this database for more than ${waitMs} ms`);
    if (first) logger.info({ wait_ms: waitMs }, 'waiting for another process that migrates this database');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function runMigrations(
  { migrations, ...options }: Omit<DatabaseOptions, 'entities'> & { readonly migrations: Migrations },
  logger: Logger,
): Promise<string[]> {
  const dataSource = dataSourceOf({ ...options, entities: [], poolSize: 1, statementTimeoutMs: 0 }, logger);
  dataSource.setOptions({ migrations, migrationsTransactionMode: 'each', migrationsTableName: 'migrations' });
  await dataSource.initialize();
  try {
    const ran = await dataSource.runMigrations({ transaction: 'each' });
    for (const { name } of ran) logger.info({ migration: name }, 'migrated');
    return ran.map(({ name }) => name);
  } catch (error) {
    if (kindOf(error) === 'transient') throw error;
    throw new InvariantError(
      `a migration of ${options.name} failed; those before it stand, it and those after do not`,
      {
        cause: error,
      },
    );
  } finally {
    await dataSource.destroy();
  }
}
