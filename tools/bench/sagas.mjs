// From the start of a saga to its decision: four services in processes of their own, three of them asked to
// prepare and commit.
import { randomBytes } from 'node:crypto';
import { rowOf } from './figures.mjs';
import { joined, makeDatabase, makeLog, openLog, until } from './ground.mjs';
import { libraries } from './libraries.mjs';
import { startService } from './service-process.mjs';

const PARTITIONS = 4;
const SECONDS = { full: 10, quick: 2 };
const BRANCHES = ['stock', 'payment', 'delivery'];

export async function benchSagas({
  servers,
  runs,
  quick,
  say,
  concurrencies = [1, 32, 128, 1_024],
  failing = 0,
}) {
  const seconds = quick ? SECONDS.quick : SECONDS.full;
  const system = await startSystem(servers, say);
  try {
    const rows = [];
    await system.shop.ask('load', { concurrency: 32, seconds: 2, fail: 0 });
    for (const concurrency of concurrencies) {
      const done = [];
      for (let n = 0; n < runs; n++) {
        say(`C=${concurrency}, run ${n + 1} of ${runs}`);
        done.push(await system.shop.ask('load', { concurrency, seconds, fail: failing }));
        await ended(system.shop);
      }
      const what = failing > 0 ? `3 no-op branches, ${failing * 100} % refused` : '3 no-op branches';
      rows.push(rowOf({ system: 'aura', case: what, concurrency }, done));
    }
    return rows;
  } finally {
    await system.stop();
  }
}

async function ended(shop) {
  let open = 0;
  await until(
    async () => (open = await shop.ask('open')) === 0,
    () => open,
  );
}

async function startSystem(servers, say) {
  const suffix = randomBytes(4).toString('hex');
  const shop = `shop_${suffix}`;
  const owners = BRANCHES.map((branch) => `${branch}_${suffix}`);
  const made = await makeLog(servers);
  const registry = await makeDatabase(servers.adminUrl);
  const names = [shop, ...owners];
  const databases = await Promise.all(names.map(() => makeDatabase(servers.adminUrl)));
  const services = [];
  const stop = async () => {
    await Promise.all(services.map((service) => service.stop()));
    await Promise.all([...databases, registry].map((database) => database.drop()));
    await made.drop();
  };
  try {
    const log = openLog(await libraries(), made.settings);
    await log.createTopics(names.map((name) => ({ name: `${name}.events`, partitions: PARTITIONS })));
    await log.close();
    for (const [i, name] of names.entries()) {
      const shared = { shop, owners, registryUrl: registry.url, log: made.settings };
      const settings = { ...shared, name, databaseUrl: databases[i].url };
      services.push(await startService(settings, 'saga-service.mjs'));
    }
    say('the groups join');
    await joined(async () => {
      const all = await Promise.all(services.map((service) => service.ask('status')));
      return all.every(({ leads, assigned }, i) => leads && assigned === PARTITIONS * (i === 0 ? 3 : 1));
    });
    return { shop: services[0], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
