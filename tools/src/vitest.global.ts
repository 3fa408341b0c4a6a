import { startTestPostgres } from '../start/postgres.mjs';

/**
 * Gives the tests their servers. Those named in the environment are used (`npm test` names its own); where
 * none is, a Postgres is started here and stopped at the end, so that `npx vitest` works alone. A Kafka is
 * never started here: its suites skip themselves without `KAFKA_BROKERS`.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env['AURA_TEST_PG_URL']) return undefined;
  const server = await startTestPostgres();
  process.env['AURA_TEST_PG_URL'] = server.url; // the workers and the other projects of this run inherit it
  return async () => {
    delete process.env['AURA_TEST_PG_URL'];
    await server.stop();
  };
}
