// The servers of one bench: those that the environment names, or ones of its own that end with it.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startTestKafka } from '../infra/kafka.mjs';
import { startPostgres } from '../start/postgres.mjs';

/**
 * @param {'kafka' | 'postgres' | undefined} log where events go; undefined: no server is needed
 * @param {{ registry?: boolean }} [how] whether a Kafka of the bench's own has a schema registry
 * @returns {Promise<{ adminUrl?: string, brokers?: string[], registryUrl?: string,
 *   stop: () => Promise<void> }>} `registryUrl`: of its own Kafka only
 */
export async function startServers(log, { registry = false } = {}) {
  const stops = [];
  const stop = async () => void (await Promise.all(stops.splice(0).map((end) => end())));
  if (log === undefined) return { stop };
  try {
    const [adminUrl, onKafka] = await Promise.all([
      postgres(stops),
      log === 'kafka' ? kafka(stops, registry) : {},
    ]);
    return { adminUrl, ...onKafka, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** With a real fsync: what a commit costs in production is part of every figure. */
async function postgres(stops) {
  const given = process.env['AURA_TEST_PG_URL'];
  if (given) return given;
  const dir = mkdtempSync(join(tmpdir(), 'aura-bench-'));
  const server = await startPostgres({ dir, durable: true });
  stops.push(async () => {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
    if (server.dir !== dir) rmSync(server.dir, { recursive: true, force: true });
  });
  return server.url;
}

async function kafka(stops, registry) {
  const given = process.env['KAFKA_BROKERS'];
  if (given) return { brokers: given.split(',') };
  const server = await startTestKafka({ registry });
  stops.push(() => server.stop());
  return { brokers: server.brokers.split(','), registryUrl: server.registryUrl };
}

/** What the figures depend on. */
export async function machine(adminUrl) {
  const [cpu] = cpus();
  const hardware = {
    cpus: cpus().length,
    model: cpu?.model.trim() ?? '',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadBefore: Number(loadavg()[0].toFixed(2)),
    node: process.version,
  };
  if (adminUrl === undefined) return hardware;
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const setting = async (name) => (await client.query(`show ${name}`)).rows[0][name];
    return { ...hardware, postgres: await setting('server_version'), fsync: await setting('fsync') };
  } finally {
    await client.end();
  }
}
