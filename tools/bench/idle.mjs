// What a service costs that has nothing to do: a process with outbox, relay, consumer and tasks.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { countingProxy } from './counting-proxy.mjs';
import { rowOf } from './figures.mjs';
import { entryType, joined, makeLog, makeService, openLog } from './ground.mjs';
import { libraries } from './libraries.mjs';
import { startService } from './service-process.mjs';

const FULL = { settleMs: 12_000, watchMs: 30_000 };
const QUICK = { settleMs: 2_000, watchMs: 5_000 };
const PARTITIONS = 12;

/** Runs are windows of one service: what is slow about a start is over by then. */
export async function benchIdle({ servers, runs, quick, say }) {
  const { settleMs, watchMs } = quick ? QUICK : FULL;
  const name = `bench_${randomBytes(4).toString('hex')}`;
  const libs = await libraries();
  const made = await makeLog(servers);
  const own = await makeService(libs, servers.adminUrl);
  const databases = [own.database.name, ...(made.database ? [made.database.name] : [])];
  const proxies = [await countingProxy(own.url)];
  let service;
  try {
    const log = openLog(libs, made.settings);
    await log.createTopics([
      { name: entryType(libs, name).topic, partitions: PARTITIONS },
      { name: `${name}_idle.events`, partitions: PARTITIONS },
    ]);
    await log.close();
    if (made.database) proxies.push(await countingProxy(made.settings.url));
    service = await startService({
      name: `${name}_idle`,
      publisher: name,
      reads: true,
      writes: false,
      databaseUrl: proxies[0].url,
      log: made.database ? { url: proxies[1].url } : made.settings,
    });
    say('the group joins');
    await joined(async () => {
      const { assigned, leads } = await service.ask('status');
      return assigned === PARTITIONS && leads;
    });
    await sleep(settleMs); // Postgres counts what a session did up to 10 s later
    const windows = [];
    for (let run = 1; run <= runs; run++) {
      say(`${watchMs / 1_000} s of nothing, run ${run} of ${runs}`);
      windows.push(await watch(service, proxies, servers.adminUrl, databases, watchMs));
    }
    return rowsOf(windows);
  } finally {
    await service?.stop();
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await own.drop();
    await made.drop();
  }
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

async function watch(service, proxies, adminUrl, databases, watchMs) {
  const look = async () => ({
    atMs: performance.now(),
    queries: proxies.map((proxy) => proxy.queries()),
    commits: await commitsOf(adminUrl, databases),
    cpu: await service.ask('cpu'),
  });
  const before = await look();
  await sleep(watchMs);
  const after = await look();
  const seconds = (after.atMs - before.atMs) / 1_000;
  const micros = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  return {
    queries: (sum(after.queries) - sum(before.queries)) / seconds,
    commits: (after.commits - before.commits) / seconds,
    cpuPercent: micros / 1e4 / seconds,
  };
}

/** From another database, so that the question does not count itself. */
async function commitsOf(adminUrl, databases) {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rows } = await client.query(
      'select sum(xact_commit)::float8 as commits from pg_stat_database where datname = any($1::text[])',
      [databases],
    );
    return rows[0].commits;
  } finally {
    await client.end();
  }
}

function rowsOf(windows) {
  const row = (name, field) =>
    rowOf(
      { system: 'aura', case: name, concurrency: 1 },
      windows.map((window) => ({ perSecond: window[field], stepsMs: [], failed: 0 })),
    );
  return [
    row('queries per second, counted on the wire', 'queries'),
    row('transactions per second, by pg_stat_database', 'commits'),
    row('CPU, % of a core', 'cpuPercent'),
  ];
}
