// Starts a service of a bench in a process of its own, and asks it.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** As services are run (libs/service/README.md): most of what a unit makes is garbage a moment later. */
export const NODE_OPTIONS = ['--max-semi-space-size=64', '--min-semi-space-size=64'];

/**
 * @param {{ name: string }} settings what the program reads as JSON from its first argument
 * @param {string} [program] a file of this folder
 * @param {import('node:child_process').ForkOptions} [forked] its environment, and arguments of Node
 */
export async function startService(settings, program = 'service.mjs', forked = {}) {
  const main = fileURLToPath(new URL(program, import.meta.url));
  const child = fork(main, [JSON.stringify(settings)], {
    ...forked,
    execArgv: [...NODE_OPTIONS, ...(forked.execArgv ?? [])],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const waiting = new Map();
  let said = '';
  let asked = 0;
  child.stderr.on('data', (chunk) => (said = (said + chunk).slice(-4_000)));
  child.on('message', ({ id, answer, error }) => {
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error === undefined) resolve?.(answer);
    else reject?.(new Error(`${settings.name}: ${error}`));
  });
  child.on('exit', (code, signal) => {
    for (const { reject } of waiting.values())
      reject(new Error(`${settings.name} ended (${code ?? signal}): ${said}`));
    waiting.clear();
  });
  const answerOf = (id) => new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  await answerOf(0);
  return {
    /** @returns {Promise<any>} what it answers */
    ask(what, how = {}) {
      const id = ++asked;
      const answer = answerOf(id);
      child.send({ id, what, ...how });
      return answer;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await this.ask('stop').catch(() => child.kill('SIGKILL'));
      await ended;
      clearTimeout(timer);
    },
  };
}
