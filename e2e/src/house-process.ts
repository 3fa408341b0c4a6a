import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Environment } from '@aura/service';
import { settled } from '@aura/testing';
import { CLONE } from './clone.js';

/** A service of the house that runs, wherever that is. */
export interface HouseMember {
  readonly url: string;
  stop(): Promise<void>;
  /** As `kill -9`; only where it has a process of its own. */
  kill?(): Promise<void>;
}

/** Starts a service in a process of its own, as it was compiled. `port`: undefined takes a free one. */
export async function startProcess(
  name: string,
  environment: Environment,
  port: number | undefined,
): Promise<HouseMember> {
  const own = port ?? (await freePort());
  const main = join(CLONE, 'apps', name, 'dist/main.js');
  const child = spawn(process.execPath, ['--enable-source-maps', main], {
    cwd: CLONE,
    env: { ...process.env, ...environment, AURA_HTTP_PORT: String(own), AURA_LOG_LEVEL: 'error' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  const url = `http://127.0.0.1:${own}`;
  const lives = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    return (await fetch(`${url}/health/live`)).ok;
  };
  await settled(`${name} answers`, () => lives().catch(() => child.exitCode !== null && lives()), {
    withinMs: 60_000,
  });
  return { url, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
