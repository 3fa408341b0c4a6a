import { createHash } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileProblem, Problem } from '../problem.mjs';
import { canReach, serverUser } from './server-user.mjs';

/**
 * Where the data of the server of `home` lies: in `home/data`, or, where the server's user cannot get there
 * (root in a closed home folder), in a place of root's that this user can enter; the same place again at each
 * start.
 *
 * @param {string} home an existing folder
 * @returns {{ dataDir: string, user: ReturnType<typeof serverUser>, moved: boolean }}
 */
export function placeOf(home) {
  const dataDir = join(home, 'data');
  const user = serverUser(dataDir);
  if (canReach(user, home)) return { dataDir, user, moved: false };
  const moved = join(reachableFolder(user), createHash('sha256').update(home).digest('hex').slice(0, 12));
  return { dataDir: moved, user: serverUser(moved), moved: true };
}

/**
 * A folder that the server's user can enter and only root can write to. The first two outlive a restart of
 * the machine. Called as root only.
 */
export function reachableFolder(user) {
  for (const folder of ['/var/lib/aura', '/var/tmp/aura', join(tmpdir(), 'aura')]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      const stat = lstatSync(folder);
      // In a folder open to everybody somebody else may have made ours first.
      if (!stat.isDirectory() || stat.uid !== 0) continue;
      chmodSync(folder, 0o755);
      if (canReach(user, folder)) return folder;
    } catch (error) {
      if (!['EROFS', 'EACCES', 'EPERM', 'EEXIST', 'ENOTDIR'].includes(error.code))
        throw fileProblem(error, folder);
    }
  }
  throw new Problem(
    `Postgres runs as ${user.name} here, who can enter neither this folder nor /var/lib.`,
    'Start this as an ordinary user, or clone the project into a folder that others can enter (mode 755).',
  );
}

/** Makes the folder of a server: enterable for the server's user, with nothing readable in it for others. */
export function makeHome(home) {
  // Only folders that are ours to open: what exists keeps its mode.
  const missing = [];
  for (let at = home; !existsSync(at); at = join(at, '..')) missing.unshift(at);
  try {
    for (const folder of missing) makeFolder(folder);
    if (!isFolder(home)) mkdirSync(home); // says what it is instead
  } catch (error) {
    throw fileProblem(error, home);
  }
}

function makeFolder(folder) {
  try {
    mkdirSync(folder);
    chmodSync(folder, 0o755);
  } catch (error) {
    if (error.code !== 'EEXIST' || !isFolder(folder)) throw error; // another start may have made it
  }
}

function isFolder(path) {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
