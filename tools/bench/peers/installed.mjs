// The peers' packages: fetched with npm the first time that a bench wants them, into a folder of the user's
// cache. They are no dependencies of the project: `npm ci` does not know of them.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cacheFolder } from '../../infra/cache.mjs';
import { npm } from '../../start/install.mjs';
import { withLock } from '../../start/lock.mjs';
import { fileProblem, Problem } from '../../start/problem.mjs';
import { progress } from '../../start/progress.mjs';

/** Exact versions: a newer peer is another comparison. */
export const PACKAGES = {
  dbos: ['@dbos-inc/dbos-sdk@5.3.0'],
  restate: ['@restatedev/restate-sdk@1.17.2', '@restatedev/restate-server@1.7.12'],
};

/**
 * The folder that has a peer's packages. Fetched once, by one process at a time; it appears whole (a rename)
 * or not at all. Throws a `Problem` where npm can't.
 */
export async function installed(peer) {
  const folder = folderOf(peer);
  if (existsSync(folder)) return folder;
  try {
    mkdirSync(cacheFolder(), { recursive: true });
  } catch (error) {
    throw fileProblem(error, cacheFolder());
  }
  await withLock(`${folder}.lock`, () => fetchInto(folder, PACKAGES[peer]));
  return folder;
}

/** Named by the versions: another clone may want other ones. */
export function folderOf(peer) {
  const versions = PACKAGES[peer].map((each) => each.split('@').at(-1));
  return join(cacheFolder(), `bench-${peer}-${versions.join('-')}`);
}

async function fetchInto(folder, packages) {
  if (existsSync(folder)) return;
  const half = `${folder}.${process.pid}`;
  const step = progress(`fetching ${packages.join(' and ')} with npm, once, into ${folder}`);
  try {
    mkdirSync(half, { recursive: true });
    // Without scripts: what a benchmark fetches has no business to run anything here.
    const { status, output } = await npm(half, [
      'install',
      `--prefix=${half}`,
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      ...packages,
    ]);
    if (status !== 0) throw new Problem(`npm could not install ${packages.join(', ')}:\n${output.trim()}`);
    renameSync(half, folder);
    step.done();
  } catch (error) {
    step.failed();
    throw fileProblem(error, half);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

export const requireFrom = (folder) => createRequire(join(folder, 'package.json'));

/** A package of such a folder. */
export const importFrom = (folder, name) => import(pathToFileURL(requireFrom(folder).resolve(name)).href);
