import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { checkout } from '@aura/checkout';
import { delivery } from '@aura/delivery';
import { gateway } from '@aura/gateway';
import { imageAnalysis } from '@aura/image-analysis';
import { inventory } from '@aura/inventory';
import { payments } from '@aura/payments';
import { TerminalError, TransientError } from '@aura/platform';
import { createLogger, LISTENS, startService, type ServiceDefinition } from '@aura/service';
import { CLONE } from './options.js';
import type { ServiceName } from './servers.js';

export interface StartedService {
  readonly name: ServiceName;
  readonly url: string;
  /** Has it said so itself? Another program may answer at its address. */
  listens(): boolean;
  /** Why it can't become ready any more; undefined while it lives. */
  gone(): string | undefined;
  stop(): Promise<void>;
  /** `kill -9`, and its process id; only where it has a process of its own. */
  kill?(): Promise<number>;
}

/** How services are started: all in this process, or each in one of its own. */
export interface Starter {
  start(name: ServiceName, port: number, settings: Readonly<Record<string, string>>): Promise<StartedService>;
}

const DEFINITIONS: Readonly<Record<ServiceName, unknown>> = {
  gateway,
  'image-analysis': imageAnalysis,
  inventory,
  payments,
  delivery,
  checkout,
};

/** All in this process: the quickest way up. Their logs go to files, one per service. */
export function inThisProcess(logFolder: string): Starter {
  return {
    async start(name, port, environment) {
      const logger = createLogger({ name, level: 'info', destination: resolve(logFolder, `${name}.log`) });
      const definition = DEFINITIONS[name] as ServiceDefinition;
      const telemetry = name === 'gateway';
      const running = await startService({ ...definition, environment, logger, port, telemetry });
      return {
        name,
        url: running.url,
        listens: () => true,
        gone: () => undefined,
        stop: () => running.stop(),
      };
    },
  };
}

const WITH_PARENT = new URL('./with-parent.js', import.meta.url).href;

/**
 * Each in a process of its own, as they would run anywhere else. `environment`: what they get besides their
 * settings.
 */
export function inProcesses(logFolder: string, environment: NodeJS.ProcessEnv): Starter {
  return {
    async start(name, port, settings) {
      mkdirSync(logFolder, { recursive: true });
      const log = openSync(resolve(logFolder, `${name}.log`), 'a');
      const main = resolve(CLONE, 'apps', name, 'dist/main.js');
      const child = spawn(
        process.execPath,
        [
          '--max-semi-space-size=64',
          '--min-semi-space-size=64',
          '--enable-source-maps',
          '--import',
          '@aura/service/register',
          '--import',
          WITH_PARENT,
          main,
        ],
        {
          cwd: resolve(CLONE, 'apps', name),
          env: { ...environment, ...settings, AURA_HTTP_PORT: String(port) },
          stdio: ['ignore', log, log, 'ipc'],
          // Ctrl-C reaches the whole group of a terminal: the demo stops its services itself, in order.
          detached: process.platform !== 'win32',
        },
      );
      closeSync(log);
      let listens = false;
      child.on('message', (message) => (listens ||= message === LISTENS));
      return {
        name,
        url: `http://127.0.0.1:${port}`,
        listens: () => listens,
        gone: () => endOf(child),
        stop: () => ended(child, 'SIGTERM'),
        kill: async () => {
          await ended(child, 'SIGKILL');
          return child.pid ?? 0;
        },
      };
    },
  };
}

function endOf({ exitCode, signalCode }: ChildProcess): string | undefined {
  if (signalCode !== null) return `it was ended by ${signalCode}`;
  return exitCode === null ? undefined : `it ended with exit code ${exitCode}`;
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (endOf(child) !== undefined) return Promise.resolve();
  return new Promise((done) => {
    child.once('exit', () => done());
    child.kill(signal);
  });
}

/**
 * Resolves when the service says that nothing is missing; throws with what it says is missing after
 * `withinMs`.
 */
export async function whenReady(
  service: StartedService,
  signal: AbortSignal,
  withinMs = 60_000,
): Promise<void> {
  const { name, url } = service;
  const until = performance.now() + withinMs;
  let missing = 'it does not answer';
  while (performance.now() < until) {
    signal.throwIfAborted();
    const end = service.gone();
    if (end) throw new TerminalError(`${name} can't start: ${end}; its log says why`);
    try {
      const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5_000) });
      if (response.ok && service.listens()) return;
      if (response.ok) missing = `it does not listen yet; another program answers at ${url}`;
      else missing = ((await response.json()) as { detail?: string }).detail ?? missing;
    } catch (error) {
      missing = error instanceof Error ? error.message : String(error);
    }
    await new Promise((again) => setTimeout(again, 50));
  }
  throw new TransientError(`${name} is not ready: ${missing}`);
}

/** `wanted` where nobody listens on it, else one that the system gives. */
export async function freePort(wanted = 0): Promise<number> {
  const server = createServer();
  try {
    return await new Promise<number>((found, fail) => {
      server.once('error', fail);
      server.listen(wanted, '127.0.0.1', () => found((server.address() as AddressInfo).port));
    });
  } catch {
    return freePort(0);
  } finally {
    server.close();
  }
}
