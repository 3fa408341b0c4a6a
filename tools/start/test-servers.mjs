import { existsSync } from 'node:fs';
import { startTestPostgres } from './postgres.mjs';

const KAFKA = new URL('../infra/kafka.mjs', import.meta.url);

/**
 * The servers of one test run: those that the environment names are used, the others are started.
 *
 * @returns {Promise<{ env: Record<string, string>, noKafka: string | null, stop: () => Promise<void> }>}
 *   `env` for the tests; `noKafka`: why there is no Kafka
 */
export async function startTestServers() {
  const stops = [];
  const stop = async () => {
    await Promise.all(stops.splice(0).map((end) => end()));
  };
  try {
    const [postgres, kafka] = await Promise.all([testPostgres(stops), testKafka(stops)]);
    return { env: { ...postgres, ...kafka.env }, noKafka: kafka.missing ?? null, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function testPostgres(stops) {
  const given = process.env['AURA_TEST_PG_URL'];
  if (given) return { AURA_TEST_PG_URL: given };
  const server = await startTestPostgres();
  stops.push(() => server.stop());
  return { AURA_TEST_PG_URL: server.url };
}

async function testKafka(stops) {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL } = process.env;
  if (KAFKA_BROKERS) return { env: { KAFKA_BROKERS, ...(SCHEMA_REGISTRY_URL && { SCHEMA_REGISTRY_URL }) } };
  if (!existsSync(KAFKA)) return { env: {}, missing: 'tools/infra/kafka.mjs is not there' };
  const { startTestKafka } = await import(KAFKA.href);
  try {
    const kafka = await startTestKafka();
    stops.push(() => kafka.stop());
    return { env: { KAFKA_BROKERS: kafka.brokers, SCHEMA_REGISTRY_URL: kafka.registryUrl } };
  } catch (error) {
    if (error.name !== 'Problem') throw error;
    return { env: {}, missing: error.message };
  }
}
