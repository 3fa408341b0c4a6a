import { InvariantError, run, statement } from '@aura/platform';
import type { PoolClient } from 'pg';
import { firstTables } from './0001-first-tables.js';
import { operations } from './0002-operations.js';
import { letters } from './0003-letters.js';
import { groups } from './0004-groups.js';
import { relayEpochs } from './0005-relay-epochs.js';
import { retention } from './0006-retention.js';
import { replay } from './0007-replay.js';
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
];

/** Any number that nobody else locks: "aura" in ASCII. */
const LOCK_KEY = 0x61757261;

const LOCK = statement('migration_lock', 'select pg_advisory_xact_lock($1)');
const KNOWN = statement('migration_known', 'select id from aura.migration order by id');
const NOTE = statement('migration_note', 'insert into aura.migration (id) values ($1)');

/**
 * Brings the schema `aura` of a service's database up to date: all missing migrations in one transaction,
 * under a lock, so that replicas may start together. Throws `InvariantError` when the database is newer
 * than this program.
 */
export async function migrate(client: PoolClient): Promise<void> {
  await client.query('begin');
  try {
    await run(client, LOCK, [LOCK_KEY]);
    await client.query(
      `create schema if not exists aura;
       create table if not exists aura.migration
         (id text primary key, ran_at timestamptz not null default now())`,
    );
    const known = new Set((await run<{ id: string }>(client, KNOWN)).map((row) => row.id));
    for (const { id, sql } of MIGRATIONS) {
      if (known.delete(id)) continue;
      await client.query(sql);
      await run(client, NOTE, [id]);
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
