// The embedded Postgres 18 of a clone, for the demo, `npm run infra` and the tests. As a command:
//   node tools/start/postgres.mjs start|stop|status [--dir DIR] [--port N] [--fast]
//
// P1: one server per home folder; a second start finds the first one's, also when its starter was killed.
// P2: what was stored is there after the next start, also when everything was killed (not with `durable:
// false`).
// P3: the server listens on 127.0.0.1 only, and the superuser's password is random and readable for its owner
// only.
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { isAlive, withLock } from './lock.mjs';
import { freePort, isFree, listenerOn } from './ports.mjs';
import { findBinaries } from './postgres/binaries.mjs';
import { makeHome, placeOf } from './postgres/place.mjs';
import { halt, initialise, launch, resetPassword, runningServer } from './postgres/process.mjs';
import { readState, writeState } from './postgres/state.mjs';
import { fail, Problem } from './problem.mjs';

export { freePort } from './ports.mjs';
export { ensureDatabase } from './postgres/databases.mjs';
export { Problem } from './problem.mjs';

const CLONE = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const DEFAULT_HOME = join(CLONE, '.aura/postgres');
const DEFAULT_PORT = 57420;
const TEST_PREFIX = 'aura-test-pg-';

/** See postgres.d.mts. */
export async function startPostgres({ dir = DEFAULT_HOME, port, durable = true, keep = false } = {}) {
  const home = resolve(dir);
  makeHome(home);
  return withLock(join(home, 'lock'), () => start(home, { port, durable, keep }));
}

async function start(home, { port, durable, keep }) {
  const { state, isNew } = readState(home);
  const place = withBinaries(placeOf(home));
  const fresh = !existsSync(join(place.dataDir, 'PG_VERSION'));
  // Written first: a start that is killed below must find the password of the data that it left. With its
  // owner: another run's sweep would take it for one that was left behind.
  if (isNew) writeState(home, { ...state, owner: keep ? 'infra' : process.pid });
  const running = isNew ? await stopped(place) : await usableServer(place, state, port);
  if (running) state.port = running.port;
  else {
    delete state.owner; // of a server that is gone
    if (fresh) await initialise(place, state.password, durable);
    else if (isNew) await resetPassword(place, state.password);
    state.port = await launchOnPort(place, state, port, durable);
  }
  const mine = keep || !isOwned(state);
  if (mine) state.owner = keep ? 'infra' : process.pid;
  writeState(home, state);
  return {
    url: urlOf(state),
    port: state.port,
    dir: place.dataDir,
    outcome: running ? 'adopted' : fresh ? 'created' : 'started',
    notice: place.moved
      ? `Postgres runs as ${place.user.name}, who cannot enter ${home}: its data is in ${place.dataDir}`
      : null,
    stop: async () => {
      if (mine && !keep) await stopPostgres({ dir: home });
    },
  };
}

/** Stops the server of a home folder; true when there was one. `remove` throws the data away too. */
export async function stopPostgres({ dir = DEFAULT_HOME, remove = false } = {}) {
  const home = resolve(dir);
  if (!existsSync(home)) return false;
  const { dataDir, running } = await withLock(join(home, 'lock'), async () => {
    const place = placeOf(home);
    const server = runningServer(place.dataDir);
    if (server) await halt(withBinaries(place));
    return { dataDir: place.dataDir, running: server !== null };
  });
  if (remove) for (const folder of [dataDir, home]) rmSync(folder, { recursive: true, force: true });
  return running;
}

/** The server of a home folder as it is now. */
export function postgresStatus({ dir = DEFAULT_HOME } = {}) {
  const home = resolve(dir);
  if (!existsSync(join(home, 'server.json'))) return null;
  const { dataDir } = placeOf(home);
  const running = runningServer(dataDir);
  return {
    dir: dataDir,
    running: running !== null,
    ...(running && { ...running, url: urlOf(readState(home).state) }),
  };
}

/**
 * A server for one test run: fast instead of durable, in a temporary folder that goes with it. What the test
 * runs that were killed left behind goes first.
 */
export async function startTestPostgres() {
  await sweepTestServers();
  const home = mkdtempSync(join(tmpdir(), TEST_PREFIX));
  chmodSync(home, 0o755);
  try {
    const server = await startPostgres({ dir: home, port: await freePort(), durable: false });
    return { ...server, stop: () => stopPostgres({ dir: home, remove: true }) };
  } catch (error) {
    rmSync(home, { recursive: true, force: true });
    throw error;
  }
}

async function sweepTestServers() {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(TEST_PREFIX))) {
    const home = join(tmpdir(), name);
    try {
      const { state, isNew } = readState(home);
      if (!isNew && !isOwned(state)) await stopPostgres({ dir: home, remove: true });
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // another user's: not ours to sweep
    }
  }
}

const withBinaries = (place) => ({ ...place, binaries: findBinaries(place.user) });
const isOwned = ({ owner }) =>
  owner === 'infra' || (owner !== undefined && owner !== process.pid && isAlive(owner));
const urlOf = ({ password, port }) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;

/** For a running server whose password nobody knows any more: it has to stop before that can be set anew. */
async function stopped(place) {
  if (runningServer(place.dataDir)) await halt(place);
  return null;
}

/**
 * The running server, once it takes connections; null when none runs or it has to move to the port asked for.
 */
async function usableServer(place, state, port) {
  const running = runningServer(place.dataDir);
  if (!running) return null;
  if (port !== undefined && port !== running.port) {
    if (isOwned(state))
      throw new Problem(
        `The Postgres of ${place.dataDir} is in use, on port ${running.port} instead of ${port}.`,
        'Leave the port out, or stop what uses it (the demo: Ctrl-C; `npm run infra -- down`).',
      );
    return stopped(place);
  }
  const usable = await answers({ ...state, port: running.port }, place.dataDir);
  return usable ? running : stopped(place);
}

/** Whether a server lets us in; one that is still starting (recovery after a kill) gets its time. */
async function answers(state, dataDir) {
  for (let attempt = 0; attempt < 300; attempt++) {
    const client = new Client({ connectionString: urlOf(state), connectionTimeoutMillis: 5000 });
    client.on('error', () => undefined); // told by the query below
    try {
      await client.connect();
      const { rows } = await client.query('show data_directory');
      return resolve(rows[0].data_directory) === dataDir;
    } catch (error) {
      const starting = error.code === '57P03' || error.code === 'ECONNREFUSED';
      if (!starting || !runningServer(dataDir)) return false;
    } finally {
      await client.end().catch(() => undefined); // never connected
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  return false;
}

async function launchOnPort(place, state, asked, durable) {
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = asked ?? (await likelyPort(state, attempt));
    if ((await isFree(port)) && (await launch(place, port, durable)) === 'started') return port;
    if (asked === undefined) continue;
    const who = listenerOn(asked);
    throw new Problem(
      `Port ${asked} of 127.0.0.1 is taken${who ? ` by ${who}` : ' by another program'}.`,
      'Stop that program, or ask for another port; without one, a free port is chosen.',
    );
  }
  throw new Problem(
    'No free port was found for Postgres on 127.0.0.1.',
    'Ask for one yourself (a port that is free).',
  );
}

/** The port of last time, so that a bookmark or a shell finds it again; any free one when it is taken. */
async function likelyPort(state, attempt) {
  const usual = state.port ?? DEFAULT_PORT;
  return attempt === 0 && (await isFree(usual)) ? usual : freePort();
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { dir: { type: 'string' }, port: { type: 'string' }, fast: { type: 'boolean' } },
  });
  const dir = values.dir;
  const [command = 'status'] = positionals;
  if (command === 'start') {
    const port = values.port === undefined ? undefined : Number(values.port);
    const server = await startPostgres({ dir, port, durable: !values.fast, keep: true });
    if (server.notice) console.error(server.notice);
    console.log(server.url);
  } else if (command === 'stop') console.log((await stopPostgres({ dir })) ? 'stopped' : 'was not running');
  else if (command === 'status') console.log(JSON.stringify(postgresStatus({ dir })));
  else throw new Problem(`${command} is none of start, stop, status.`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main().catch(fail);
