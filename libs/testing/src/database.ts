import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** A database of one test's own. */
export interface TestDatabase {
  readonly url: string;
  /** Connects a plain pg client; closed by `drop`. */
  client(): Promise<Client>;
  /** Ends every connection to it and drops it. */
  drop(): Promise<void>;
}

/**
 * Creates an empty database with a random name on the test server (`AURA_TEST_PG_URL`, set by the
 * workspace's Vitest global setup). Throws where there is no server: a database test never passes without a
 * database.
 */
export async function testDatabase(label = 'test'): Promise<TestDatabase> {
  const server = process.env['AURA_TEST_PG_URL'];
  if (!server)
    throw new Error('AURA_TEST_PG_URL is not set: run the tests through `npm test` or `npx vitest`');
  const name = `${label.replaceAll(/[^a-z0-9]/g, '_')}_${randomBytes(6).toString('hex')}`;
  await onServer(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const clients: Client[] = [];
  return {
    url: url.href,
    async client() {
      const client = new Client({ connectionString: url.href, application_name: 'test' });
      client.on('error', () => undefined); // `drop` ends it from the other side
      await client.connect();
      clients.push(client);
      return client;
    },
    async drop() {
      await Promise.allSettled(clients.map((c) => c.end()));
      await onServer(server, `drop database if exists ${name} with (force)`);
    },
  };
}

async function onServer(url: string, sql: string): Promise<void> {
  const admin = new Client({ connectionString: url });
  await admin.connect();
  try {
    await admin.query(sql);
  } finally {
    await admin.end();
  }
}
