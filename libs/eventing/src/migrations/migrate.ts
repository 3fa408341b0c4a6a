import { InvariantError, run, statement } from '@aura/platform';
import type { PoolClient } from 'pg';
import { firstTables } from './0001-first-tables.js';
import { operations } from './0002-operations.js';
import { letters } from './0003-letters.js';
import { groups } from './0004-groups.js';
import { relayEpochs } from './0005-relay-epochs.js';
import { retention } from './0006-retention.js';
import { replay } from './0007-replay.js';
import { refusal } from './0008-refusal.js';
import { taskKinds } from './0009-task-kinds.js';
import type { Migration } from './migration.js';

/** In order, forward only; one that has been released is never changed. */
const MIGRATIONS: readonly Migration[] = [
  firstTables,
  operations,
  letters,
  groups,
  relayEpochs,
  retention,
  replay,
  refusal,
  taskKinds,
];

/** Any number that nobody else locks: "aura" in ASCII. */
const LOCK_KEY = 0x61757261;

/** The tables of one lib in the schema `aura`: its own list, and where it notes what ran. */
export interface MigrationSet {
  /** `aura.<table>`. */
  readonly table: string;
  readonly migrations: readonly Migration[];
}

const OWN: MigrationSet = { table: 'migration', migrations: MIGRATIONS };

const LOCK = statement('migration_lock', 'select pg_advisory_xact_lock($1)');
/**
 * Brings tables of the schema `aura` of a service's database up to date, eventing's own or another lib's: all
 * missing migrations in one transaction, under a lock, so that replicas may start together. Throws
 * `InvariantError` when the database is newer than this program.
 */
export async function migrate(client: PoolClient, { table, migrations }: MigrationSet = OWN): Promise<void> {
  if (!/^[a-z_]+$/.test(table)) throw new InvariantError(`a table of migrations is not called ${table}`);
  await client.query('begin');
  try {
    await run(client, LOCK, [LOCK_KEY]);
    await client.query(
      `create schema if not exists aura;
       create table if not exists aura.${table}
         (id text primary key, ran_at timestamptz not null default now())`,
    );
    const { rows } = await client.query<{ id: string }>(`select id from aura.${table} order by id`);
    const known = new Set(rows.map((row) => row.id));
    for (const { id, sql } of migrations) {
      if (known.delete(id)) continue;
      await client.query(sql);
      await client.query(`insert into aura.${table} (id) values ($1)`, [id]);
    }
    if (known.size > 0)
      throw new InvariantError(
        `the database has migrations unknown to this program (${[...known].join(', ')}): start a newer one`,
      );
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}
