// The four services of a saga, each in a process of its own: a shop that starts sagas, and three that are
// asked to prepare and commit, and do nothing else.
import { randomBytes } from 'node:crypto';
import { joined, makeDatabase, makeLog, openLog, until } from './ground.mjs';
import { libraries } from './libraries.mjs';
import { startService } from './service-process.mjs';

const PARTITIONS = 4;
const BRANCHES = ['stock', 'payment', 'delivery'];

/**
 * @param {{ adminUrl: string, brokers?: string[] }} servers
 * @param {(what: string) => void} say
 * @param {(service: string) => object | undefined} [processOf] how its process is started: see `startService`
 */
export async function startSystem(servers, say, processOf = () => ({})) {
  const suffix = randomBytes(4).toString('hex');
  const shop = `shop_${suffix}`;
  const owners = BRANCHES.map((branch) => `${branch}_${suffix}`);
  const names = [shop, ...owners];
  const services = [];
  const stops = [() => Promise.all(services.map(({ service }) => service.stop()))];
  const stop = async () => {
    for (const end of stops.splice(0)) await end();
  };
  try {
    const made = await makeLog(servers);
    stops.push(made.drop);
    const registry = await makeDatabase(servers.adminUrl);
    stops.push(registry.drop);
    await makeTopics(names, made.settings);
    const shared = { shop, owners, registryUrl: registry.url, log: made.settings };
    for (const [i, name] of names.entries()) {
      const database = await makeDatabase(servers.adminUrl);
      stops.push(database.drop);
      const settings = { ...shared, name, databaseUrl: database.url };
      const role = ['shop', ...BRANCHES][i];
      const service = await startService(settings, 'saga-service.mjs', processOf(role));
      services.push({ name: role, database, service });
    }
    say('the groups join');
    await joined(() => haveJoined(services));
    return { shop: services[0].service, services, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeTopics(names, settings) {
  const log = openLog(await libraries(), settings);
  await log.createTopics(names.map((name) => ({ name: `${name}.events`, partitions: PARTITIONS })));
  await log.close();
}

async function haveJoined(services) {
  const all = await Promise.all(services.map(({ service }) => service.ask('status')));
  return all.every(({ leads, assigned }, i) => leads && assigned === PARTITIONS * (i === 0 ? 3 : 1));
}

/** Resolves when every saga that was started has ended. */
export async function ended(shop) {
  let open = 0;
  await until(
    async () => (open = await shop.ask('open')) === 0,
    () => open,
  );
}

/** A load until the last of its sagas has ended: what follows a decision is part of what it costs. */
export async function drive({ shop, services }, how) {
  const before = await cpuMs(services);
  const run = await shop.ask('load', { ...how, fail: 0 });
  await ended(shop);
  for (const { service } of services) await service.ask('flush');
  return { run, cpuMs: (await cpuMs(services)) - before };
}

async function cpuMs(services) {
  const all = await Promise.all(services.map(({ service }) => service.ask('cpu')));
  return all.reduce((sum, { user, system }) => sum + (user + system) / 1_000, 0);
}
