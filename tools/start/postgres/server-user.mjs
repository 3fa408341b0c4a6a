import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { Problem } from '../problem.mjs';

/**
 * Who runs the server: nobody special (null) for an ordinary user; for root, whom Postgres refuses, the owner
 * of the data that is there already, else the user `postgres`, else `nobody`.
 *
 * @returns {{ name: string, uid: number, gid: number } | null}
 */
export function serverUser(dataDir) {
  if (process.getuid?.() !== 0) return null;
  const owner = ownerOf(dataDir);
  if (owner) return owner;
  for (const name of ['postgres', 'nobody']) {
    const id = spawnSync('id', ['-u', name], { encoding: 'utf8' });
    if (id.status !== 0) continue;
    const gid = Number(execFileSync('id', ['-g', name], { encoding: 'utf8' }));
    return { name, uid: Number(id.stdout), gid };
  }
  throw new Problem(
    'Postgres does not run as root, and this machine has neither a user `postgres` nor `nobody`.',
    'Make one (`useradd --system postgres`), or start this as an ordinary user.',
  );
}

function ownerOf(dataDir) {
  const stat = dataDir && statSync(dataDir, { throwIfNoEntry: false });
  if (!stat || stat.uid === 0) return null;
  const { uid, gid } = stat;
  const id = spawnSync('id', ['-nu', String(uid)], { encoding: 'utf8' });
  return { name: id.status === 0 ? id.stdout.trim() : `user ${uid}`, uid, gid };
}

/**
 * Spawn options that make a program run as the server's user, in a folder that this user can always enter.
 */
export function asServerUser(user) {
  return { ...(user && { uid: user.uid, gid: user.gid }), ...(process.platform !== 'win32' && { cwd: '/' }) };
}

/** Whether the server's user can enter a folder or run a program (each folder above it included). */
export function canReach(user, path) {
  if (!user) return true;
  const test = ['-c', 'test -x "$1"', 'sh', path];
  return spawnSync('/bin/sh', test, { ...asServerUser(user), stdio: 'ignore' }).status === 0;
}
