import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fileProblem } from './problem.mjs';

const BEAT_MS = 1000;
/**
 * A holder that has not shown itself for this long is dead, even where another process has its pid by now.
 */
const DEAD_AFTER_MS = 15_000;

/**
 * Runs `work` while no other process holds the lock file `path`.
 *
 * L1: the file appears with its content (a hard link), so nobody ever reads half a lock.
 * L2: a holder that was killed is noticed by its pid, or by its missing heartbeat where the pid was given
 * away again.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work must not block the event loop for longer than 15 s
 * @param {{ onWait?: (pid: number) => void }} [options] `onWait` is called once when somebody else has it
 * @returns {Promise<T>}
 */
export async function withLock(path, work, { onWait } = {}) {
  let waited = false;
  while (!take(path)) {
    const holder = holderOf(path);
    if (holder === null) continue; // given back in this moment
    if (holder.dead) {
      breakLock(path, holder.pid);
      continue;
    }
    if (!waited) onWait?.(holder.pid);
    waited = true;
    await new Promise((done) => setTimeout(done, 100));
  }
  const beat = setInterval(() => showAlive(path), BEAT_MS);
  beat.unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    rmSync(path, { force: true });
  }
}

function take(path) {
  const mine = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(mine, String(process.pid));
    linkSync(mine, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw fileProblem(error, dirname(path));
  } finally {
    rmSync(mine, { force: true });
  }
}

function showAlive(path) {
  try {
    utimesSync(path, new Date(), new Date());
  } catch (error) {
    if (error.code !== 'ENOENT') throw error; // somebody deleted the folder under us: the work goes on
  }
}

function holderOf(path) {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    const silentMs = Date.now() - statSync(path).mtimeMs;
    return { pid, dead: silentMs > DEAD_AFTER_MS || pid === process.pid || !isAlive(pid) };
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw fileProblem(error, path);
  }
}

/**
 * Two processes may break the same dead lock: the rename has one winner, and a fresh lock that it met is put
 * back.
 */
function breakLock(path, deadPid) {
  const aside = `${path}.${process.pid}.dead`;
  try {
    renameSync(path, aside);
    if (Number(readFileSync(aside, 'utf8')) !== deadPid) linkSync(aside, path);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Whether a process with this id exists (another user's counts). */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
