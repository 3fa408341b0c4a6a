import { spawn, spawnSync } from 'node:child_process';
import { Problem } from '../start/problem.mjs';

const OLDEST_GO = [1, 24];
const GROUPS = process.platform !== 'win32';
export const JAEGER_CURE =
  'Any one of these gives you a Jaeger:\n' +
  '- set JAEGER_URL to one that is there, for example http://127.0.0.1:16686;\n' +
  '- start Docker (`docker info` must answer);\n' +
  '- install Go 1.24 or newer (https://go.dev/dl, macOS: brew install go).\n' +
  'Without Jaeger everything still runs; traces are then sent nowhere.';

/** Throws a `Problem` where there is no `go` on the PATH, or only an old one. */
export function checkGo() {
  const { stdout, error } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  if (error) throw new Problem('Jaeger is built with Go, and none was found.', JAEGER_CURE);
  if (!isNewEnough(stdout.trim()))
    throw new Problem(`Jaeger needs Go ${OLDEST_GO.join('.')}, but this is ${stdout.trim()}.`, JAEGER_CURE);
}

/** Whether `go1.26.8` and the like will do; what can't be read (a development version) will. Pure. */
export function isNewEnough(version) {
  const found = /^go(\d+)\.(\d+)/.exec(version);
  if (!found) return version !== '';
  const [major, minor] = found.slice(1).map(Number);
  return major > OLDEST_GO[0] || (major === OLDEST_GO[0] && minor >= OLDEST_GO[1]);
}

/**
 * Runs a command of Go and gives its stdout. Rejects with a `Problem` that carries what Go said last, or
 * that it was interrupted.
 *
 * @param {string[]} args
 * @param {{ cwd?: string, signal?: AbortSignal }} options
 */
export async function runGo(args, { cwd, signal } = {}) {
  // It takes all cores for minutes: whatever else runs comes first.
  const [command, ...first] = GROUPS ? ['nice', 'go'] : ['go'];
  const child = spawn(command, [...first, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    detached: GROUPS, // with its compilers, in a group that can be told to stop
    // A person's own flags and workspace are for their own programs. An empty GOFLAGS would count as none.
    env: { ...process.env, GOFLAGS: '-mod=readonly', GOWORK: 'off' },
  });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'])
    child[stream].setEncoding('utf8').on('data', (text) => (said[stream] += text));
  const interrupt = () => {
    const { pid, exitCode, signalCode } = child;
    if (!GROUPS) child.kill();
    else if (pid && exitCode === null && signalCode === null) process.kill(-pid, 'SIGINT');
  };
  if (signal?.aborted) interrupt();
  signal?.addEventListener('abort', interrupt, { once: true });
  const code = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.code));
    child.once('close', resolve);
  });
  signal?.removeEventListener('abort', interrupt);
  if (signal?.aborted) throw new Problem('Building Jaeger was interrupted; what Go has compiled is kept.');
  if (code === 0) return said.stdout;
  const last = `${said.stdout}${said.stderr}`.trim().split('\n').slice(-12).join('\n');
  throw new Problem(
    `go ${args.slice(0, 2).join(' ')} failed (exit ${code}):\n${last}`,
    'Look at its network settings (`go env GOPROXY GOSUMDB`), then start again.',
  );
}
