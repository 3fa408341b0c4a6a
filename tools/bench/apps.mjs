// The four applications of a purchase as they would run anywhere: their own `main.js`, each in a process and
// with a database of its own.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestKafka } from '../infra/kafka.mjs';
import { CLONE } from '../start/bootstrap.mjs';
import { freePort } from '../start/ports.mjs';
import { Problem } from '../start/problem.mjs';
import { makeDatabase, openLog, until } from './ground.mjs';
import { libraries } from './libraries.mjs';
import { NODE_OPTIONS } from './service-process.mjs';

const APPS = ['inventory', 'payments', 'delivery', 'checkout'];
/** What the applications themselves would make. */
const PARTITIONS = 12;
const WITH_PARENT = new URL('with-parent.mjs', import.meta.url).href;

/** What is not their default: room for every purchase, and time enough that none is too late. */
const OWN_SETTINGS = {
  delivery: { AURA_SLOT_CAPACITY: '1000000' },
  checkout: { AURA_PURCHASE_WAIT_MS: '20000', AURA_PURCHASE_PREPARE_MS: '60000' },
};

/** @returns their addresses and databases by name; `stop` ends them and drops what they had */
export async function startApps(servers, say) {
  const stops = [];
  const stop = async () => {
    for (const end of stops.splice(0).toReversed()) await end();
  };
  try {
    const log = await logOf(servers, say, stops);
    await makeTopics(log);
    const dir = mkdtempSync(join(tmpdir(), 'aura-bench-apps-'));
    stops.push(() => rmSync(dir, { recursive: true, force: true }));
    const common = { ...log, AURA_SERVICE_TOKEN_SECRET: secret() };
    const [urls, databases] = [{}, {}];
    for (const name of APPS) {
      const database = await makeDatabase(servers.adminUrl);
      stops.push(database.drop);
      const inventory = name === 'checkout' ? { AURA_INVENTORY_URL: urls.inventory } : {};
      const settings = { ...common, ...inventory, ...OWN_SETTINGS[name], AURA_DATABASE_URL: database.url };
      say(`${name} starts`);
      urls[name] = await startApp(name, settings, dir, stops);
      databases[name] = database.url;
    }
    return { urls, databases, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const secret = () => randomBytes(32).toString('base64url');

/**
 * A log that has nothing of theirs yet: the names of their topics are fixed, and one that is ahead of a new
 * database would rightly stop them (E10). So a given Kafka is not used, but one is started.
 */
async function logOf({ adminUrl, brokers, registryUrl }, say, stops) {
  if (brokers === undefined) {
    const database = await makeDatabase(adminUrl);
    stops.push(database.drop);
    return { AURA_LOG_KIND: 'postgres', AURA_LOG_URL: database.url };
  }
  if (registryUrl) return kafkaSettings(brokers.join(), registryUrl);
  say('a Kafka of the applications starts');
  const kafka = await startTestKafka();
  stops.push(() => kafka.stop());
  return kafkaSettings(kafka.brokers, kafka.registryUrl);
}

const kafkaSettings = (brokers, registryUrl) => ({
  AURA_LOG_KIND: 'kafka',
  AURA_BROKERS: brokers,
  AURA_REGISTRY_URL: registryUrl,
});

/** Before the applications start, as in production: they are served by then. */
async function makeTopics({ AURA_LOG_URL: url, AURA_BROKERS: brokers }) {
  const log = openLog(await libraries(), url ? { url } : { brokers: brokers.split(',') });
  await log.createTopics(APPS.map((name) => ({ name: `${name}.events`, partitions: PARTITIONS })));
  await log.close();
}

/** Without the settings that a shell may have for other services. */
const shell = () => Object.entries(process.env).filter(([name]) => !/^(?:AURA|OTEL)_/.test(name));

/** Gives its address once it says that nothing is missing. */
async function startApp(name, settings, dir, stops) {
  const port = await freePort();
  const file = join(dir, `${name}.log`);
  const output = openSync(file, 'a');
  const preloaded = ['--import', '@aura/service/register', '--import', WITH_PARENT];
  const child = spawn(
    process.execPath,
    [...NODE_OPTIONS, ...preloaded, join(CLONE, 'apps', name, 'dist/main.js')],
    {
      cwd: join(CLONE, 'apps', name),
      env: { ...Object.fromEntries(shell()), ...settings, AURA_HTTP_PORT: String(port) },
      stdio: ['ignore', output, output, 'ipc'],
    },
  );
  closeSync(output);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  stops.push(async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(timer);
  });
  const url = `http://127.0.0.1:${port}`;
  const gone = () => child.exitCode !== null || child.signalCode !== null;
  const ready = async () => (await fetch(`${url}/health/ready`).catch(() => undefined))?.ok === true;
  const up = await until(
    async () => gone() || (await ready()),
    () => 0,
  );
  if (up && !gone()) return url;
  const said = readFileSync(file, 'utf8').trim().split('\n').slice(-3).join('\n');
  throw new Problem(`${name} is not ready${gone() ? ': it has ended' : ' after a minute'}:\n${said}`);
}
