// What others offer for the same: DBOS and Restate, each with three durable steps that do nothing, called and
// awaited as the sagas are. One that can't run here says so in its rows, and the bench goes on.
import { makeDatabase } from './ground.mjs';
import { rowOf } from './figures.mjs';
import { installed } from './peers/installed.mjs';
import { startRestateServer } from './peers/restate-server.mjs';
import { startService } from './service-process.mjs';

/** Connections to Postgres, as many as the coordinator of the sagas has. */
const POOL_SIZE = 20;

const STARTS = { dbos: startDbos, restate: startRestate };
const CASES = { dbos: 'a workflow of 3 no-op steps', restate: 'a handler of 3 no-op steps' };

/** All of them, those that can't run as well. Never rejects. */
export async function startPeers(servers, say) {
  const peers = [];
  for (const name of Object.keys(STARTS)) {
    say(`${name} starts`);
    peers.push(await startPeer(name, servers));
  }
  return peers;
}

async function startPeer(name, servers) {
  const stops = [];
  const stop = async () => {
    for (const end of stops.splice(0).toReversed()) await end();
  };
  const peer = { name, stop, runs: new Map(), notRun: undefined };
  try {
    const folder = await installed(name);
    peer.service = await STARTS[name](folder, servers, stops);
  } catch (error) {
    await stop();
    peer.notRun = reasonOf(error);
  }
  return peer;
}

async function startDbos(folder, { adminUrl }, stops) {
  const database = await makeDatabase(adminUrl);
  stops.push(() => database.drop());
  const settings = { name: 'dbos', folder, databaseUrl: database.url, poolSize: POOL_SIZE };
  return started(settings, stops);
}

async function startRestate(folder, servers, stops) {
  const { stop, pid: serverPid, ingressUrl, adminUrl } = await startRestateServer(folder);
  stops.push(stop);
  const settings = { name: 'restate', folder, ingressUrl, adminUrl, serverPid };
  // Its SDK writes a line per call otherwise; ours write none here either.
  return started(settings, stops, { env: { ...process.env, RESTATE_LOGGING: 'ERROR' } });
}

async function started(settings, stops, forked) {
  const service = await startService(settings, `peers/${settings.name}.mjs`, forked);
  stops.push(() => service.stop());
  return service;
}

/** A run that counts for nothing. */
export async function warmPeer(peer, how) {
  await runPeer(peer, how);
  peer.runs.clear();
}

/** One run of one peer; what goes wrong there ends that peer, not the bench. */
export async function runPeer(peer, how) {
  if (peer.notRun) return;
  try {
    const run = await peer.service.ask('load', how);
    const before = peer.runs.get(how.concurrency) ?? [];
    peer.runs.set(how.concurrency, [...before, run]);
  } catch (error) {
    peer.notRun = reasonOf(error);
  }
}

export function peerRow({ name, runs, notRun }, concurrency) {
  const said = { system: name, case: CASES[name], concurrency };
  const done = runs.get(concurrency);
  return done ? rowOf(said, done) : notRunRow(said, notRun);
}

/** A row without figures: why this could not be measured here. */
export const notRunRow = (name, reason) => rowOf(name, [NOTHING], { notRun: reason });

const NOTHING = { perSecond: null, stepsMs: [], failed: 0 };

/** The first line of what a person would be told. */
export function reasonOf(error) {
  const [what, ...more] = String(error.message).split('\n');
  return [what, more.find((line) => line.trim() !== '')?.trim()].filter(Boolean).join(' ').slice(0, 300);
}
