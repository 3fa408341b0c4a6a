// What every command of the workspace does first: the right Node, everything installed, everything built.
// Runs on Node >= 20 with nothing installed, so it imports only Node's own modules and uses no newer syntax
// than that.
//
// B1: an installed and built clone costs a fraction of a second. B2: whatever a killed start left, the next
// one repairs.
// B3: two starts at once wait for each other.  B4: it prints to stderr only; stdout belongs to the program.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { install, isInstalled } from './install.mjs';
import { withLock } from './lock.mjs';
import { checkMachine, workspaceNode } from './node-version.mjs';
import { fail, Problem } from './problem.mjs';
import { endPrograms } from './run-program.mjs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
export const CLONE = resolve(fileURLToPath(new URL('../..', import.meta.url)));

/**
 * Makes the clone ready to run.
 *
 * @param {{ projects?: string[] }} [options] what to build, with what it needs; default: everything
 * @returns {Promise<string>} the path of the Node 24 to run things with
 */
export async function bootstrap({ projects } = {}) {
  checkMachine();
  for (const signal of SIGNALS) process.once(signal, stopBootstrap);
  return withLock(
    join(CLONE, '.aura/bootstrap.lock'),
    async () => {
      if (!isInstalled(CLONE)) await install(CLONE);
      const node = workspaceNode(CLONE);
      await build(CLONE, node, projects);
      for (const signal of SIGNALS) process.removeListener(signal, stopBootstrap);
      return node;
    },
    { onWait: sayWaiting },
  );
}

/** What npm or the compiler leave half done, the next start does again. */
function stopBootstrap(signal) {
  endPrograms();
  process.exit(128 + constants.signals[signal]);
}

function sayWaiting(pid) {
  process.stderr.write(`… another start is under way in this folder (process ${pid}): waiting for it\n`);
}

/**
 * Runs a script of the workspace under its Node 24, with this process's terminal, arguments and signals, and
 * ends this process as that one ended.
 *
 * @param {string} node
 * @param {string} script relative to the clone
 * @param {string[]} args
 */
export function runScript(node, script, args) {
  const child = spawn(node, ['--enable-source-maps', join(CLONE, script), ...args], { stdio: 'inherit' });
  // On Windows `kill` ends a child at once, whatever the signal, and the console has told it already. Where a
  // terminal tells the whole group, the child hears it twice, at once.
  const pass = process.platform === 'win32' ? () => undefined : (signal) => child.kill(signal);
  for (const signal of SIGNALS) process.on(signal, pass);
  child.on('error', fail);
  child.on('exit', (code, signal) => {
    if (signal === null || process.platform === 'win32') process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** The whole of a command: makes the clone ready, then runs the script with the arguments of this process. */
export async function start(script, options) {
  try {
    const node = await bootstrap(options);
    if (!existsSync(join(CLONE, script))) throw new Problem(`${script} is not there.`);
    runScript(node, script, process.argv.slice(2));
  } catch (error) {
    fail(error);
  }
}
