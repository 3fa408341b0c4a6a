// From the commit in one service to the commit in another: two processes, 50 events a second.
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { rowOf, Tally } from './figures.mjs';
import { entryType, joined, makeLog, makeService, openLog, until } from './ground.mjs';
import { libraries } from './libraries.mjs';
import { startService } from './service-process.mjs';

const PER_SECOND = 50;
const FULL = { warm: 250, events: 1_000 };
const QUICK = { warm: 50, events: 100 };
const PARTITIONS = 12;

export async function benchHop({ servers, runs, quick, say }) {
  const size = quick ? QUICK : FULL;
  const name = `bench_${randomBytes(4).toString('hex')}`;
  const libs = await libraries();
  const made = await makeLog(servers);
  const [from, to] = [await makeService(libs, servers.adminUrl), await makeService(libs, servers.adminUrl)];
  const services = [];
  try {
    await makeTopic(libs, made.settings, entryType(libs, name).topic);
    const shared = { publisher: name, log: made.settings };
    const names = [name, `${name}_reader`];
    services.push(
      await startService({ ...shared, name: names[0], reads: false, writes: true, databaseUrl: from.url }),
      await startService({ ...shared, name: names[1], reads: true, writes: false, databaseUrl: to.url }),
    );
    const [a, b] = services;
    say('the group joins');
    await joined(
      async () => (await b.ask('status')).assigned === PARTITIONS && (await a.ask('status')).leads,
    );
    await run(a, b, to.url, { from: 0, count: size.warm });
    const done = [];
    for (let n = 0; n < runs; n++) {
      say(`run ${n + 1} of ${runs}`);
      done.push(await run(a, b, to.url, { from: size.warm + n * size.events, count: size.events }));
    }
    return [rowOf({ system: 'aura', case: `commit to commit, ${PER_SECOND}/s`, concurrency: 1 }, done)];
  } finally {
    await Promise.all(services.map((service) => service.stop()));
    await Promise.all([from.drop(), to.drop()]);
    await made.drop();
  }
}

async function makeTopic(libs, settings, topic) {
  const log = openLog(libs, settings);
  await log.createTopics([{ name: topic, partitions: PARTITIONS }]);
  await log.close();
}

async function run(a, b, databaseUrl, { from, count }) {
  const begunMs = performance.now();
  await a.ask('raise', { from, count, perSecond: PER_SECOND });
  const seconds = (performance.now() - begunMs) / 1_000;
  let arrived = 0;
  await until(
    async () => (arrived = (await b.ask('status')).committed) >= count,
    () => arrived,
  );
  const raised = new Map(await a.ask('commits'));
  const stepsMs = [];
  for (const [n, atMs] of await b.ask('commits')) if (raised.has(n)) stepsMs.push(atMs - raised.get(n));
  return { perSecond: count / seconds, stepsMs, failed: await wrong(databaseUrl, from, count) };
}

async function wrong(databaseUrl, from, count) {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(
      'select serial::int as serial from effect where serial::int >= $1 and serial::int < $2',
      [from, from + count],
    );
    const tally = new Tally(count);
    for (const { serial } of rows) tally.see(serial - from);
    return tally.failed;
  } finally {
    await client.end();
  }
}
