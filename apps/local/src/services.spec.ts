import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { whenReady, type StartedService } from './services.js';

/** Another demo's service, ready, where ours was meant to be. */
const stranger = createServer((_, response) => response.end());
beforeEach(() => new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve)));
afterEach(() => new Promise((resolve) => stranger.close(resolve)));

/** `gone` and `listens` as they answer from one look to the next. */
function service(looks: { gone?: string; listens: boolean }[]): StartedService {
  const { port } = stranger.address() as AddressInfo;
  let at = 0;
  const look = () => looks[Math.min(at, looks.length - 1)];
  return {
    name: 'gateway',
    url: `http://127.0.0.1:${port}`,
    gone: () => look()?.gone,
    listens: () => looks[Math.min(at++, looks.length - 1)]?.listens ?? false,
    stop: () => Promise.resolve(),
  };
}

const signal = new AbortController().signal;

it('another program that answers at its address does not make a service ready', async () => {
  const taken = service([{ listens: false }, { listens: false, gone: 'it ended with exit code 1' }]);
  await expect(whenReady(taken, signal)).rejects.toThrow("gateway can't start: it ended with exit code 1");
  await expect(whenReady(service([{ listens: false }]), signal, 100)).rejects.toThrow(
    'another program answers',
  );
});

it('a service is ready once it has said that it listens, and answers', async () => {
  await whenReady(service([{ listens: false }, { listens: true }]), signal);
});
