import { Contracts, defineEvent, type EventType } from '@aura/contracts';
import { systemClock } from '@aura/platform';
import { testDatabase, type TestDatabase } from '@aura/testing';
import type { Pool, PoolClient } from 'pg';
import { DataSource, type EntitySchema } from 'typeorm';
import { migrate, UnitsOfWork, type UnitOfWorkContext } from '../src/index.js';

/** Raised and read by the specs of this lib. */
export interface Counted {
  readonly key: string;
  readonly n: number;
}

export const Counted: EventType<Counted> = defineEvent<Counted>({
  service: 'spec',
  version: 1,
  keyField: 'key',
  schema: {
    type: 'record',
    name: 'Counted',
    namespace: 'spec',
    doc: 'A key and a number that only grows.',
    fields: [
      { name: 'key', type: 'string' },
      { name: 'n', type: 'int' },
    ],
  },
});

export interface ServiceFixture {
  readonly database: TestDatabase;
  readonly dataSource: DataSource;
  readonly pool: Pool;
  readonly units: UnitsOfWork;
  /** What `onCommitted` was told, in order. */
  readonly committed: { events: number; tasks: number }[];
  /** Rows of any query, on a connection of the pool. */
  rows<R>(sql: string, values?: unknown[]): Promise<R[]>;
  close(): Promise<void>;
}

/** A migrated database of a service's own, and units of work on it. */
export async function serviceFixture(
  options: { entities?: EntitySchema[]; context?: Partial<UnitOfWorkContext>; sql?: string } = {},
): Promise<ServiceFixture> {
  const database = await testDatabase('eventing');
  const dataSource = new DataSource({
    type: 'postgres',
    url: database.url,
    entities: options.entities ?? [],
    poolSize: 10,
    installExtensions: false,
    // Ends of a killed backend are the pool's to replace, not the process's to die of.
    poolErrorHandler: () => undefined,
  });
  await dataSource.initialize();
  const pool = (dataSource.driver as unknown as { master: Pool }).master;
  await withClient(pool, migrate);
  await pool.query('create table aura.outbox_any_day partition of aura.outbox default');
  if (options.sql) await pool.query(options.sql);
  const committed: { events: number; tasks: number }[] = [];
  const units = new UnitsOfWork({
    dataSource,
    contracts: new Contracts({ publishes: [Counted], subscribes: [Counted] }),
    clock: systemClock,
    onCommitted: (written) => committed.push(written),
    ...options.context,
  });
  return {
    database,
    dataSource,
    pool,
    units,
    committed,
    rows: async <R>(sql: string, values: unknown[] = []) => (await pool.query(sql, values)).rows as R[],
    async close() {
      await dataSource.destroy();
      await database.drop();
    },
  };
}

async function withClient(pool: Pool, use: (client: PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await use(client);
  } finally {
    client.release();
  }
}
