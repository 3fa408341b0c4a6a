// A server of Restate of the bench's own: its ports are free ones, its data goes with it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { arch, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../start/ports.mjs';
import { Problem } from '../../start/problem.mjs';
import { until } from '../ground.mjs';
import { requireFrom } from './installed.mjs';

const OPTIONS = ['--no-logo', '--listen-mode', 'tcp', '--node-name', 'bench', '--base-dir'];

/** Rejects with a `Problem` that says why it does not come up. */
export async function startRestateServer(folder) {
  const name = `@restatedev/restate-server-${platform()}-${arch()}`;
  const binary = requireFrom(folder).resolve(`${name}/bin/restate-server`);
  const dir = mkdtempSync(join(tmpdir(), 'aura-bench-restate-'));
  const [ingress, admin, node] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(binary, [...OPTIONS, dir], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...settings({ ingress, admin, node }) },
  });
  const end = { words: undefined };
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (said = (said + chunk).slice(-1_000)));
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve((end.words = error.message)));
    child.once('exit', (code, signal) => resolve((end.words = `it ended with ${code ?? signal}`)));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
    rmSync(dir, { recursive: true, force: true });
  };
  const urls = { ingressUrl: `http://127.0.0.1:${ingress}`, adminUrl: `http://127.0.0.1:${admin}` };
  const answers = async () => (await fetch(`${urls.adminUrl}/health`).catch(() => undefined))?.ok === true;
  const up = await until(
    async () => end.words !== undefined || (await answers()),
    () => 0,
  );
  if (up && end.words === undefined) return { ...urls, pid: child.pid, stop };
  const why = end.words ?? 'it did not answer for a minute';
  await stop();
  throw new Problem(`Restate's server does not come up: ${why}: ${said.trim()}`);
}

const settings = ({ ingress, admin, node }) => ({
  RESTATE_DISABLE_TELEMETRY: 'true',
  RESTATE_LOG_FILTER: 'error',
  RESTATE_BIND_IP: '127.0.0.1',
  RESTATE_BIND_PORT: String(node),
  RESTATE_INGRESS__BIND_IP: '127.0.0.1',
  RESTATE_INGRESS__BIND_PORT: String(ingress),
  RESTATE_ADMIN__BIND_IP: '127.0.0.1',
  RESTATE_ADMIN__BIND_PORT: String(admin),
});
