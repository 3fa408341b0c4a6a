import { Client } from 'pg';
import { startTestPostgres } from '../../../tools/start/postgres.mjs';

export interface SecondCluster {
  /** Makes something on it that asks for the test server. */
  here<T>(make: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** A Postgres of one test's own: another cluster, with other transaction ids. */
export async function secondCluster(): Promise<SecondCluster> {
  const server = await startTestPostgres();
  const usual = process.env['AURA_TEST_PG_URL'];
  return {
    async here(make) {
      process.env['AURA_TEST_PG_URL'] = server.url;
      try {
        return await make();
      } finally {
        process.env['AURA_TEST_PG_URL'] = usual;
      }
    },
    stop: () => server.stop(),
  };
}

const TABLES = ['outbox', 'schema', 'relay_cursor', 'relay_parked_key'];

/** Copies rows, and nothing else: no identity, no transaction ids of the cluster. */
export async function copyRows(fromUrl: string, toUrl: string): Promise<void> {
  const [from, to] = [new Client(fromUrl), new Client(toUrl)];
  await Promise.all([from.connect(), to.connect()]);
  for (const table of TABLES) {
    const { rows } = await from.query(`select coalesce(json_agg(t), '[]') as all from aura.${table} as t`);
    await to.query(`delete from aura.${table}`);
    await to.query(
      `insert into aura.${table} overriding system value
       select * from json_populate_recordset(null::aura.${table}, $1)`,
      [JSON.stringify((rows[0] as { all: unknown }).all)],
    );
  }
  await Promise.all([from.end(), to.end()]);
}
