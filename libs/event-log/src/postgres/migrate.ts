import type { PoolClient } from 'pg';
import { InvariantError } from '@aura/platform';
import { log } from './migrations/0001-log.js';
import { groupOffsets } from './migrations/0002-group-offsets.js';

/** Forward only, in this order; a released one is never edited. */
const MIGRATIONS = [log, groupOffsets] as const;

/** 'aura_log' as two 32-bit halves of ASCII: one number for all processes that migrate this schema. */
const MIGRATION_LOCK = 0x61_75_72_61;

/**
 * Brings the schema `aura_log` up to this version, in one transaction under an advisory lock: of many
 * processes that start at once one migrates, the others wait and find it done.
 *
 * @throws InvariantError when the schema is newer than this process knows (an old version started after a new
 * one).
 */
export async function migrate(client: PoolClient): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
  await client.query('create schema if not exists aura_log');
  await client.query(
    `create table if not exists aura_log.migration (
       id integer primary key, name text not null, applied_at timestamptz not null default now())`,
  );
  const { rows } = await client.query<{ id: number }>('select id from aura_log.migration');
  const applied = new Set(rows.map((row) => row.id));
  const newest = MIGRATIONS.at(-1)?.id ?? 0;
  const unknown = [...applied].filter((id) => id > newest);
  if (unknown.length > 0)
    throw new InvariantError(
      `the log's schema has migration ${Math.max(...unknown)}, this process knows ${newest}: ` +
        'deploy the newer version',
    );
  for (const migration of MIGRATIONS) {
    if (applied.has(migration.id)) continue;
    await client.query(migration.sql);
    await client.query('insert into aura_log.migration (id, name) values ($1, $2)', [
      migration.id,
      migration.name,
    ]);
  }
}
