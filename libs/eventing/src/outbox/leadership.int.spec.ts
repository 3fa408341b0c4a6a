import { spawn } from 'node:child_process';
import { createServer, connect, type Socket } from 'node:net';
import { parseEventHeaders } from '@aura/contracts';
import { postgresLog, type EventLog } from '@aura/event-log';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bundle } from '../../test/bundle.js';
import { entryRow, OutboxKit } from '../../test/outbox-kit.js';

/** From the leader's last word to another's first: `idle_session_timeout` is 4 s (H23). */
const TAKE_OVER = { withinMs: 10_000 };

let logDatabase: TestDatabase;
let log: EventLog;
let kit: OutboxKit;
beforeEach(async () => {
  logDatabase = await testDatabase('leadership_log');
  log = postgresLog({ url: logDatabase.url });
  kit = await OutboxKit.make('leadership', log);
});
afterEach(async () => {
  await kit.drop();
  await logDatabase.drop();
});

/** Positions of each key in the topic, in order, repeats left out. */
async function inOrder(): Promise<void> {
  const seen = new Map<string, bigint[]>();
  for (const { key, headers } of await kit.published()) {
    const sequence = parseEventHeaders(headers).sequence ?? -1n;
    const known = seen.get(key) ?? [];
    if (!known.includes(sequence)) seen.set(key, [...known, sequence]);
  }
  for (const found of seen.values()) expect(found).toEqual(found.toSorted((a, b) => (a < b ? -1 : 1)));
}

it('H23: a frozen leader loses the lock; thawed, it inverts nothing and saves nothing', async () => {
  const main = await bundle('relay-process.ts');
  const child = spawn(process.execPath, [main.path, kit.database.url, logDatabase.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  try {
    await settled('the child leads', () => said.includes('leads'));
    for (let n = 0; n < 60; n++) await kit.raise(entryRow(`k${n % 3}`, n));
    await settled('it is in the middle of it', async () => (await kit.published()).length > 10);
    child.kill('SIGSTOP');
    const standby = kit.relay({ standbyMs: 50 });
    await standby.start();
    await settled('the standby leads', () => standby.status().leader, TAKE_OVER);
    await kit.raise(...[60, 61, 62].map((n) => entryRow(`k${n % 3}`, n)));
    standby.nudge();
    await settled('all is published', async () => (await kit.cursor()).position === 63n);
    const { rows: before } = await kit.pool.query('select xmin::text from aura.relay_cursor');
    child.kill('SIGCONT');
    await settled('the thawed one stands by', () => said.endsWith('stands by\n'));
    await inOrder();
    expect(standby.status()).toMatchObject({ leader: true, lastError: undefined });
    const { rows: after } = await kit.pool.query('select xmin::text from aura.relay_cursor');
    expect(after).toEqual(before);
  } finally {
    child.kill('SIGKILL');
    await main.remove();
  }
});

it('H23: a half-open connection loses the lock, and another replica takes over', async () => {
  const proxy = await halfOpenProxy(kit.database.url);
  const first = kit.relay({ connection: { connectionString: proxy.url } });
  await first.start();
  await settled('it leads', () => first.status().leader);
  await kit.raise(entryRow('anna', 1));
  first.nudge();
  await settled('it publishes', async () => (await kit.cursor()).position === 1n);
  proxy.swallow();
  const second = kit.relay({ standbyMs: 50 });
  await second.start();
  await settled('the other leads', () => second.status().leader, TAKE_OVER);
  await kit.raise(entryRow('anna', 2));
  second.nudge();
  await settled('it publishes', async () => (await kit.cursor()).position === 2n);
  await inOrder();
  proxy.close();
});

it('H48: a standby holds no snapshot while it waits for the lock', async () => {
  const [first, second] = [kit.relay(), kit.relay({ standbyMs: 10 })];
  await first.start();
  await settled('it leads', () => first.status().leader);
  await second.start();
  const sessions = async (): Promise<{ xmin: string | null; state: string; asks: boolean }[]> => {
    const { rows } = await kit.pool.query<{ xmin: string | null; state: string; asks: boolean }>(
      `select backend_xmin::text as xmin, state, query like '%pg_try_advisory_lock%' as asks
         from pg_stat_activity
        where datname = current_database() and application_name = 'aura relay'`,
    );
    return rows;
  };
  await settled('it has asked for the lock', async () => (await sessions()).some(({ asks }) => asks));
  let idle = 0;
  await settled('it was seen between two questions, often', async () => {
    const standby = (await sessions()).filter(({ asks }) => asks);
    for (const { xmin, state } of standby)
      if (state === 'idle') {
        idle++;
        expect(xmin).toBeNull();
      }
    return idle > 20;
  });
  const { rows } = await kit.pool.query(`select from pg_locks where locktype = 'advisory' and not granted`);
  expect(rows).toEqual([]); // nobody waits in Postgres
});

interface HalfOpenProxy {
  readonly url: string;
  /** From now on nothing passes in either direction, and nothing is closed. */
  swallow(): void;
  close(): void;
}

async function halfOpenProxy(target: string): Promise<HalfOpenProxy> {
  const to = new URL(target);
  const sockets = new Set<Socket>();
  let swallows = false;
  const pass = (from: Socket, into: Socket): void => {
    sockets.add(from);
    from.on('error', () => undefined); // the test ends both
    from.on('data', (data) => void (swallows || into.write(data)));
    from.on('close', () => void (swallows || into.destroy()));
  };
  const server = createServer((client) => {
    const upstream = connect(Number(to.port), to.hostname);
    pass(client, upstream);
    pass(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  const address = server.address();
  url.port = String(typeof address === 'object' && address ? address.port : 0);
  url.hostname = '127.0.0.1';
  return {
    url: url.href,
    swallow: () => (swallows = true),
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
