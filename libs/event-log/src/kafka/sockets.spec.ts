import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { Sockets } from './sockets.js';

const server = createServer();
afterEach(() => new Promise((resolve) => server.close(resolve)));

it('ends what kafkajs has lost sight of, and tells it, so that its timers stop', async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sockets = new Sockets();
  const open = sockets.factory();
  const connected = Promise.withResolvers<void>();
  const socket = open({ host: '127.0.0.1', port, ssl: undefined as never, onConnect: connected.resolve });
  await connected.promise;
  let told = 0;
  socket.on('end', () => (told += 1));
  const closed = once(socket, 'close');
  sockets.endAll();
  await closed;
  expect(told).toBe(1);
  sockets.endAll();
  expect(told).toBe(1);
});
