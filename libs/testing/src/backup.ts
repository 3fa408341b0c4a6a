import { Client } from 'pg';

/** A whole database as it was at one moment, on the same server. */
export interface Backup {
  /** Puts it back: what was committed since is gone. Connections are cut. */
  restore(): Promise<void>;
  drop(): Promise<void>;
}

/** Copies the database of `url` as it is now. Connections to it are cut; later ones are let in again. */
export async function backupOf(url: string): Promise<Backup> {
  const name = new URL(url).pathname.slice(1);
  const copy = `${name}_backup`;
  await onServer(url, `create database ${copy} template ${name}`);
  return {
    async restore() {
      await onServer(url, `drop database ${name} with (force)`, `create database ${name} template ${copy}`);
    },
    drop: () => onServer(url, `drop database if exists ${copy}`),
  };
}

/** With nobody connected to the database, where it is there. */
async function onServer(url: string, ...statements: string[]): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  const server = new URL(url);
  server.pathname = '/postgres';
  const admin = new Client({ connectionString: server.href });
  await admin.connect();
  try {
    const { rows } = await admin.query('select from pg_database where datname = $1', [name]);
    if (rows.length > 0) await admin.query(`alter database ${name} allow_connections false`);
    await admin.query('select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1', [
      name,
    ]);
    for (const statement of statements) await admin.query(statement);
    if (rows.length > 0) await admin.query(`alter database ${name} allow_connections true`);
  } finally {
    await admin.end();
  }
}
