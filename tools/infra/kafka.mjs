// A Kafka of one's own without containers: brokers in KRaft mode and a schema registry (Confluent's API),
// from Maven's jars.
//
// A1: everything listens on 127.0.0.1 only;
// A2: what was started is in `kafka.json` of its folder, ports included: another process can find it, stop
//     it, or start it again where its clients expect it;
// A3: a pid counts only with its own command line: a stale file never kills a stranger;
// A4: a start that fails or is interrupted leaves nothing running.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { withLock } from '../start/lock.mjs';
import { freePort, isFree } from '../start/ports.mjs';
import { fileProblem, Problem } from '../start/problem.mjs';
import { answers, end, interrupted, isOurs, launch, listens, untilReady } from './daemons.mjs';
import { findJava } from './java.mjs';
import { kafkaJars } from './kafka-jars.mjs';
import { brokerProperties, CLUSTER_ID } from './kafka-properties.mjs';
import { testFolder } from './test-folder.mjs';

const FAST_JVM = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
];
const TEST_PREFIX = 'aura-test-kafka-';

/** See kafka.d.mts. */
export async function startKafka({ dir, port, registryPort, brokers = 1, registry = true, signal } = {}) {
  const home = resolve(dir);
  try {
    mkdirSync(join(home, 'logs'), { recursive: true });
  } catch (error) {
    throw fileProblem(error, home);
  }
  const java = findJava();
  const jars = await kafkaJars();
  return withLock(join(home, 'lock'), async () => {
    const state = await plan(home, { port, registryPort, brokers, registry });
    try {
      for (const node of state.nodes) startNode(home, java, jars, state, node);
      if (state.registry) startRegistry(home, java, jars, state.registry);
      writeState(home, state);
      await ready(home, state, signal);
    } catch (error) {
      await endAll(home, state, 'SIGKILL');
      throw error;
    } finally {
      writeState(home, state);
    }
    return handle(home, state);
  });
}

/** What runs in a folder; null when nothing was ever started there. */
export function kafkaStatus({ dir }) {
  const home = resolve(dir);
  const state = readState(home);
  if (!state) return null;
  const all = [...state.nodes, ...(state.registry ? [state.registry] : [])];
  return {
    ...addresses(state),
    running: all.every((process) => isOurs(process.pid, home)),
    pids: pidsOf(state),
  };
}

/** Stops what runs in a folder, whoever started it; false when nothing did. */
export async function stopKafka({ dir }) {
  const home = resolve(dir);
  const state = readState(home);
  if (!state) return false;
  return endAll(home, state, 'SIGTERM');
}

/** Kills one broker of a folder (SIGKILL), as a crash would; `startKafka` with its `dir` brings it back. */
export async function killBroker({ dir, id }) {
  const home = resolve(dir);
  const node = readState(home)?.nodes.find((known) => known.id === id);
  if (!node || !isOurs(node.pid, home)) return false;
  await end(node.pid, { signal: 'SIGKILL' });
  return true;
}

/**
 * A Kafka of one test run in a temporary folder that goes with `stop()`. What killed test runs left behind
 * goes first.
 */
export async function startTestKafka(options = {}) {
  const dir = await testFolder(TEST_PREFIX, async (left) => {
    const state = readState(left);
    if (state) await endAll(left, state, 'SIGKILL');
  });
  try {
    const kafka = await startKafka({ ...options, dir });
    const stop = async () => {
      await kafka.kill(); // its data goes too: no need to write it down
      rmSync(dir, { recursive: true, force: true });
    };
    return { ...kafka, dir, stop };
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/** The state of last time, its ports where they are free; what runs already stays. */
async function plan(home, { port, registryPort, brokers, registry }) {
  const old = readState(home);
  if (old && old.nodes.length !== brokers)
    throw new Problem(
      `${home} holds the data of ${old.nodes.length} broker(s), not of ${brokers}.`,
      'Take another folder, or remove that one.',
    );
  const nodes = [];
  for (let id = 1; id <= brokers; id++) {
    const before = old?.nodes[id - 1];
    const running = isOurs(before?.pid, home);
    nodes.push({
      id,
      port: running ? before.port : await choose(port && port + id - 1, before?.port),
      controllerPort: before?.controllerPort ?? (await freePort()),
      pid: running ? before.pid : null,
    });
  }
  const before = old?.registry;
  const running = isOurs(before?.pid, home);
  const last = running ? before.port : null;
  return {
    nodes,
    registry: registry
      ? { port: last ?? (await choose(registryPort, before?.port)), pid: running ? before.pid : null }
      : null,
  };
}

async function choose(asked, before) {
  if (asked && !(await isFree(asked)))
    throw new Problem(`Port ${asked} of 127.0.0.1 is taken.`, 'Stop that program, or ask for another port.');
  if (asked) return asked;
  return before && (await isFree(before)) ? before : freePort();
}

function startNode(home, java, jars, state, node) {
  if (node.pid) return;
  const properties = join(home, `broker-${node.id}.properties`);
  const data = join(home, `data-${node.id}`);
  writeFileSync(properties, brokerProperties({ node, nodes: state.nodes, data }));
  const classpath = join(jars, 'lib', '*');
  if (!existsSync(join(data, 'meta.properties')))
    execFileSync(
      java,
      [
        ...FAST_JVM,
        '-cp',
        classpath,
        'kafka.tools.StorageTool',
        'format',
        '-t',
        CLUSTER_ID,
        '-c',
        properties,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
  node.logFile = join(home, 'logs', `broker-${node.id}.log`);
  const args = ['-Xmx512m', ...FAST_JVM, '-cp', classpath, 'kafka.Kafka', properties];
  Object.assign(node, launch(java, args, { cwd: home, logFile: node.logFile }));
}

function startRegistry(home, java, jars, registry) {
  if (registry.pid) return;
  const folder = join(jars, 'registry');
  const jar = readdirSync(folder).find((name) => name.endsWith('-runner.jar'));
  registry.logFile = join(home, 'logs', 'registry.log');
  const args = [
    '-Xmx256m',
    ...FAST_JVM,
    `-Daura.home=${home}`, // A3: what its command line is known by
    '-Dquarkus.http.host=127.0.0.1',
    `-Dquarkus.http.port=${registry.port}`,
    '-jar',
    join(folder, jar),
  ];
  Object.assign(registry, launch(java, args, { cwd: folder, logFile: registry.logFile }));
}

async function ready(home, state, signal) {
  const { registryUrl } = addresses(state);
  const waits = state.nodes.map((node) => wait(`Kafka's broker ${node.id}`, node, () => listens(node.port)));
  if (state.registry)
    waits.push(wait('The schema registry', state.registry, () => answers(`${registryUrl}/subjects`)));
  await Promise.race([Promise.all(waits), interrupted(signal, 'Starting Kafka was interrupted.')]);
}

function wait(name, { exited = new Promise(() => {}), logFile }, probe) {
  return untilReady({ name, probe, exited, logFile });
}

/** Its `stop` and `kill` end what runs in the folder then: it may have been started again since. */
function handle(home, state) {
  return {
    ...addresses(state),
    pids: pidsOf(state),
    stop: () => endAll(home, readState(home) ?? state, 'SIGTERM'),
    kill: () => endAll(home, readState(home) ?? state, 'SIGKILL'),
  };
}

async function endAll(home, { nodes, registry }, signal) {
  const running = [...nodes, ...(registry ? [registry] : [])].filter(({ pid }) => isOurs(pid, home));
  await Promise.all(running.map(({ pid }) => end(pid, { signal })));
  return running.length > 0;
}

function addresses({ nodes, registry }) {
  return {
    brokers: nodes.map(({ port }) => `127.0.0.1:${port}`).join(','),
    registryUrl: registry ? `http://127.0.0.1:${registry.port}/apis/ccompat/v7` : undefined,
  };
}

const pidsOf = ({ nodes, registry }) => ({ brokers: nodes.map(({ pid }) => pid), registry: registry?.pid });

function readState(home) {
  const file = join(home, 'kafka.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}

function writeState(home, { nodes, registry }) {
  const state = { nodes: nodes.map(lasting), registry: registry && lasting(registry) };
  writeFileSync(join(home, 'kafka.json'), `${JSON.stringify(state, null, 2)}\n`);
}

function lasting({ exited: _exited, ...known }) {
  return known;
}
