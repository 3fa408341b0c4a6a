import { run, statement } from '@aura/platform';
import type { PoolClient } from 'pg';

/** "aureg" in ASCII: any number that nobody else locks. */
const LOCK_KEY = 0x6175726567;

const LOCK = statement('registry_migration_lock', 'select pg_advisory_xact_lock($1)');
const KNOWN = statement('registry_migration_known', 'select id from aura_registry.migration');
const NOTE = statement('registry_migration_note', 'insert into aura_registry.migration (id) values ($1)');

/**
 * Forward only; one that has been released is never changed.
 * - `definition` is json, not jsonb: jsonb refuses the zero characters that defaults of bytes are written
 *   with.
 * - `fingerprint` is `fingerprintOf`: spellings of one schema share an id (R1).
 */
const MIGRATIONS: readonly { id: string; sql: string }[] = [
  {
    id: '0001-schemas',
    sql: `
create table aura_registry.schema (
  id int generated always as identity primary key,
  fingerprint bytea not null unique check (octet_length(fingerprint) = 8),
  definition json not null,
  registered_at timestamptz not null default now()
);
create table aura_registry.subject_schema (
  subject text not null check (subject <> ''),
  version int not null check (version > 0),
  schema_id int not null references aura_registry.schema (id),
  registered_at timestamptz not null default now(),
  primary key (subject, version),
  unique (subject, schema_id)
);
`,
  },
];

/** Brings the schema `aura_registry` up to date, in the caller's transaction, one process at a time. */
export async function migrateRegistry(client: PoolClient): Promise<void> {
  await run(client, LOCK, [LOCK_KEY]);
  await client.query(
    `create schema if not exists aura_registry;
     create table if not exists aura_registry.migration
        (id text primary key, ran_at timestamptz not null default now())`,
  );
  const known = new Set((await run<{ id: string }>(client, KNOWN)).map((row) => row.id));
  for (const { id, sql } of MIGRATIONS) {
    if (known.has(id)) continue;
    await client.query(sql);
    await run(client, NOTE, [id]);
  }
}
