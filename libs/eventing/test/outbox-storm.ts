import { settled, type Seeded, type TestDatabase } from '@aura/testing';
import type { Client } from 'pg';
import { insertOutboxRows } from '../src/outbox/outbox.js';
import { entryRow } from './outbox-kit.js';

const KEYS = 16;
const WRITERS = 16;

export interface Storm {
  readonly counts: { committed: number; rolledBack: number; killed: number };
  /** Ends the writers; resolves when all have. */
  stop(): Promise<void>;
}

/**
 * 16 writers on 16 keys. Each transaction moves the serials of one or two accounts under their row locks,
 * so that a key's serials are its commit order; some are slow before or after they raise, some roll back,
 * whole or to a savepoint, and some connections are killed.
 */
export async function startStorm(database: TestDatabase, topic: string, random: Seeded): Promise<Storm> {
  const admin = await database.client();
  await admin.query('create table account (key text primary key, serial bigint not null default 0)');
  await admin.query(`insert into account (key) select 'k' || n from generate_series(0, ${KEYS - 1}) n`);
  const counts = { committed: 0, rolledBack: 0, killed: 0 };
  const backends = new Set<number>();
  const end = new AbortController();
  const writer = async (): Promise<void> => {
    let client = await connect(database, backends);
    while (!end.signal.aborted) {
      try {
        const commits = await transaction(client, topic, random);
        counts[commits ? 'committed' : 'rolledBack']++;
      } catch {
        counts.rolledBack++; // killed, or a deadlock victim
        client = await connect(database, backends);
      }
    }
  };
  const killer = async (): Promise<void> => {
    while (!end.signal.aborted) {
      await admin.query('select pg_sleep(0.15)');
      if (backends.size === 0) continue; // all are connecting
      await admin.query('select pg_terminate_backend($1)', [random.pick([...backends])]);
      counts.killed++;
    }
  };
  const running = Promise.all([...Array.from({ length: WRITERS }, writer), killer()]);
  return {
    counts,
    async stop() {
      end.abort();
      await running;
      await settled('the killed transactions are gone', async () => {
        const { rows } = await admin.query(
          `select from pg_stat_activity where datname = current_database() and backend_xid is not null
              and application_name = 'test'`,
        );
        return rows.length === 0;
      });
    },
  };
}

async function connect(database: TestDatabase, backends: Set<number>): Promise<Client> {
  const client = await database.client();
  const { rows } = await client.query('select pg_backend_pid() as pid');
  const { pid } = rows[0] as { pid: number };
  backends.add(pid);
  client.on('end', () => backends.delete(pid));
  return client;
}

async function transaction(client: Client, topic: string, random: Seeded): Promise<boolean> {
  const slow = async (chance: number, ms: number): Promise<void> => {
    if (random.chance(chance)) await client.query('select pg_sleep($1)', [(random.next() * ms) / 1_000]);
  };
  const keys = [...new Set([random.int(KEYS), random.int(KEYS)])].toSorted((a, b) => a - b);
  await client.query('begin');
  const rows = [];
  for (const key of keys) {
    const moved = await client.query(
      'update account set serial = serial + 1 where key = $1 returning serial',
      [`k${key}`],
    );
    rows.push(entryRow(`k${key}`, BigInt((moved.rows[0] as { serial: string }).serial), '', topic));
    await slow(0.1, 20);
  }
  if (random.chance(0.2)) {
    await client.query('savepoint undone');
    await insertOutboxRows(client, [entryRow('k0', 0, 'undone', topic)]);
    await client.query('rollback to savepoint undone');
  }
  await insertOutboxRows(client, rows);
  await slow(0.15, 60);
  const commits = !random.chance(0.1);
  await client.query(commits ? 'commit' : 'rollback');
  return commits;
}

/** A relay as one would write it first: reads by a query, remembers the last row, publishes what it got. */
export class NaiveRelay {
  readonly published: { key: string; serial: bigint; position: bigint }[] = [];
  #last: [string, string] = ['0', '0'];

  constructor(
    private readonly client: Client,
    private readonly query: string,
  ) {}

  async read(): Promise<boolean> {
    const { rows } = await this.client.query<{ key: string; position: string; xid: string }>(
      this.query,
      this.#last,
    );
    for (const { key, position, xid } of rows) {
      this.published.push({ key, serial: 0n, position: BigInt(position) });
      this.#last = [xid, position];
    }
    return rows.length > 0;
  }
}

/** What most outboxes do: everything above the highest position seen. */
export const BY_POSITION = `select key, position, xid::text from aura.outbox
  where position > $2::bigint and $1::text is not null order by position limit 200`;

/** The careful one: in order of transactions, and only those that no running one precedes. */
export const BY_TRANSACTION = `select key, position, xid::text from aura.outbox
  where xid < pg_snapshot_xmin(pg_current_snapshot()) and (xid, position) > ($1::text::xid8, $2::bigint)
  order by xid, position limit 200`;
