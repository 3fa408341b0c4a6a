import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { silentLogger } from '@aura/platform';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WakeUp } from './wake-up.js';

let database: TestDatabase;
const running: WakeUp[] = [];
beforeEach(async () => {
  database = await testDatabase('wake_up');
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
  await database.drop();
});

/** A way to the database whose connections can fall silent, both ends open, as behind a dead router. */
async function silenceable(): Promise<{ url: string; silence: () => void; close: () => Promise<void> }> {
  const { hostname, port } = new URL(database.url);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined));
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(database.url);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    silence: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Started and listening; `woken` counts since then. */
async function listening(url = database.url): Promise<{ wakeUp: WakeUp; woken: () => number }> {
  let count = 0;
  const wakeUp = new WakeUp({
    connection: { connectionString: url },
    logger: silentLogger,
    onWake: () => count++,
  });
  running.push(wakeUp);
  wakeUp.start();
  await settled('it listens', () => count === 1);
  return { wakeUp, woken: () => count - 1 };
}

describe('waking the relay of another replica', () => {
  it('many commits at once are one or two notifications', async () => {
    const [here, there] = [await listening(), await listening()];
    for (let commit = 0; commit < 100; commit++) here.wakeUp.notify();
    await settled('woken', () => there.woken() > 0);
    await here.wakeUp.stop();
    expect(there.woken()).toBeLessThanOrEqual(2);
  });

  it('listens again after its connection was lost, and wakes once for what it missed', async () => {
    const { wakeUp, woken } = await listening();
    const admin = await database.client();
    await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'aura wake-up'`,
    );
    await settled('it listens again', () => woken() === 1);
    wakeUp.notify();
    await settled('woken', () => woken() === 2);
  });

  it('a connection that fell silent is replaced by the next notification, and holds up no stop', async () => {
    const way = await silenceable();
    const { wakeUp, woken } = await listening(way.url);
    way.silence();
    wakeUp.notify();
    await settled('it listens again', () => woken() === 1);
    way.silence();
    await wakeUp.stop();
    await way.close();
  });
});
