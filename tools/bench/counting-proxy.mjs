// Stands between a service and its Postgres and counts what is asked: executions and simple queries.
import { connect, createServer } from 'node:net';

const QUERY = 0x51; // Q: a simple query
const EXECUTE = 0x45; // E: of a prepared one

/** @returns {Promise<{ url: string, queries: () => number, close: () => Promise<void> }>} */
export async function countingProxy(url) {
  const behind = new URL(url);
  const sockets = new Set();
  let queries = 0;
  const server = createServer((client) => {
    const database = connect(Number(behind.port), behind.hostname);
    const count = counter(() => queries++);
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('data', (chunk) => count(chunk));
    client.on('error', () => database.destroy());
    database.on('error', () => client.destroy());
    client.pipe(database).pipe(client);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.host = `127.0.0.1:${server.address().port}`;
  const close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: through.href, queries: () => queries, close };
}

/** Follows the messages of one connection: a type, a length, a body; the first one has no type. */
function counter(found) {
  let rest = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = started ? 1 : 0;
      if (rest.length < head + 4) return;
      const length = head + rest.readInt32BE(head);
      if (rest.length < length) return;
      if (started && (rest[0] === QUERY || rest[0] === EXECUTE)) found();
      started = true;
      rest = rest.subarray(length);
    }
  };
}
