// A Jaeger of one's own without containers: traces in memory, OTLP over HTTP in, the query API out.
//
// J1: everything listens on 127.0.0.1 only;
// J2: what was started is in `jaeger.json` of its folder, ports included: another process can find it, stop
//     it, or start it again where its clients expect it;
// J3: a pid counts only with its own command line: a stale file never kills a stranger;
// J4: a start that fails or is interrupted leaves nothing running.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { withLock } from '../start/lock.mjs';
import { freePort, isFree } from '../start/ports.mjs';
import { fileProblem, Problem } from '../start/problem.mjs';
import { answersInJson, end, interrupted, isOurs, launch, untilReady } from './daemons.mjs';
import { jaegerBinary } from './jaeger-binary.mjs';
import { jaegerConfig } from './jaeger-config.mjs';
import { testFolder } from './test-folder.mjs';

/** Where people and other tools expect a Jaeger. */
const USUAL = { port: 16_686, otlpPort: 4_318 };
const TEST_PREFIX = 'aura-test-jaeger-';

/** See jaeger.d.mts. */
export async function startJaeger({ dir, usualPorts = true, build = true, signal } = {}) {
  const home = resolve(dir);
  try {
    mkdirSync(home, { recursive: true });
  } catch (error) {
    throw fileProblem(error, home);
  }
  const binary = await jaegerBinary({ build, signal });
  return withLock(join(home, 'lock'), async () => {
    const old = readState(home);
    if (isOurs(old?.pid, home)) return handle(home, old);
    const state = await ports(old, usualPorts ? USUAL : {});
    const { exited, logFile } = launchJaeger(home, binary, state);
    writeState(home, state);
    const probe = async () => (await answersAsJaeger(addresses(state))) === null;
    try {
      await Promise.race([
        untilReady({ name: 'Jaeger', probe, exited, logFile }),
        interrupted(signal, 'Starting Jaeger was interrupted.'),
      ]);
    } catch (error) {
      await end(state.pid, { signal: 'SIGKILL' });
      throw error;
    }
    return handle(home, state);
  });
}

/** What runs in a folder; null when nothing was ever started there. */
export function jaegerStatus({ dir }) {
  const home = resolve(dir);
  const state = readState(home);
  return state && { ...addresses(state), running: isOurs(state.pid, home), pid: state.pid };
}

/** Stops what runs in a folder, whoever started it; false when nothing did. */
export function stopJaeger({ dir }) {
  return endOf(resolve(dir), 'SIGTERM');
}

/** See jaeger.d.mts. */
export async function startTestJaeger({ signal } = {}) {
  const build = Boolean(process.env['AURA_REQUIRE_JAEGER']);
  const dir = await testFolder(TEST_PREFIX, (left) => endOf(left, 'SIGKILL'));
  const remove = () => rmSync(dir, { recursive: true, force: true });
  try {
    const jaeger = await startJaeger({ dir, usualPorts: false, build, signal });
    const stop = async () => {
      const ran = await endOf(dir, 'SIGKILL'); // its traces go too: no need for manners
      remove();
      return ran;
    };
    return { ...jaeger, dir, stop };
  } catch (error) {
    remove();
    throw error;
  }
}

/** See jaeger.d.mts. */
export function givenJaeger(environment = process.env) {
  const { JAEGER_URL: given, AURA_OTLP_ENDPOINT: otlp } = environment;
  if (!given) return null;
  if (!/^https?:\/\//.test(given) || !URL.canParse(given))
    throw new Problem(`JAEGER_URL=${given} is no URL.`, 'Give it as http://host:16686, or leave it out.');
  const url = given.replace(/\/+$/, '');
  const { protocol, hostname } = new URL(url);
  return { url, otlpEndpoint: otlp || `${protocol}//${hostname}:${USUAL.otlpPort}` };
}

/** Which of its two addresses does not answer as Jaeger's do; null where both do. */
export async function answersAsJaeger({ url, otlpEndpoint }) {
  if (!(await answersInJson(`${url}/api/services`))) return url;
  const nothing = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
  return (await answersInJson(`${otlpEndpoint.replace(/\/+$/, '')}/v1/traces`, nothing))
    ? null
    : otlpEndpoint;
}

/** The ports of last time, else the usual ones, else others: whichever are free. */
async function ports(old, usual) {
  const chosen = {};
  for (const name of ['port', 'otlpPort']) {
    const wanted = [old?.[name], usual[name]].filter(Boolean);
    const free = await Promise.all(wanted.map(isFree));
    chosen[name] = wanted.find((_, at) => free[at]) ?? (await freePort());
  }
  return chosen;
}

function launchJaeger(home, binary, state) {
  const config = join(home, 'jaeger-config.json'); // J3: what its command line is known by
  writeFileSync(config, jaegerConfig(state));
  const logFile = join(home, 'jaeger.log');
  // It would trace itself, and wait for that at its end.
  const env = { ...process.env, OTEL_TRACES_SAMPLER: 'always_off' };
  const { pid, exited } = launch(binary, ['--config', config], { cwd: home, logFile, env });
  state.pid = pid;
  return { exited, logFile };
}

function handle(home, state) {
  return { ...addresses(state), pid: state.pid, stop: () => endOf(home, 'SIGTERM') };
}

async function endOf(home, signal) {
  const state = readState(home);
  if (!isOurs(state?.pid, home)) return false;
  await end(state.pid, { signal });
  return true;
}

function addresses({ port, otlpPort }) {
  return { url: `http://127.0.0.1:${port}`, otlpEndpoint: `http://127.0.0.1:${otlpPort}` };
}

function readState(home) {
  const file = join(home, 'jaeger.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}

function writeState(home, { port, otlpPort, pid }) {
  writeFileSync(join(home, 'jaeger.json'), `${JSON.stringify({ port, otlpPort, pid }, null, 2)}\n`);
}
