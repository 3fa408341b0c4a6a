import { silentLogger } from '@aura/platform';
import { testDatabase, type TestDatabase } from '@aura/testing';
import { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { entryRow } from '../../test/outbox-kit.js';
import { migrate } from '../migrations/migrate.js';
import { OutboxDays } from './days.js';
import { insertOutboxRows } from './outbox.js';

let database: TestDatabase;
let pool: Pool;
beforeEach(async () => {
  database = await testDatabase('days');
  pool = new Pool({ connectionString: database.url, max: 6 });
  pool.on('error', () => undefined); // `drop` ends them from the other side
  const client = await pool.connect();
  await migrate(client);
  client.release();
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

async function partitions(): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'aura.outbox'::regclass order by c.relname`,
  );
  return rows.map((row) => row.name);
}

async function expected(daysAhead: number): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select 'outbox_' || to_char((now() at time zone 'utc')::date + n, 'YYYYMMDD') as name
       from generate_series(-1, $1::int) n`,
    [daysAhead],
  );
  return rows.map((row) => row.name);
}

describe('partitions of the outbox', () => {
  it('D1, H24: are there a week ahead, also when replicas start together', async () => {
    await expect(insertOutboxRows(pool, [entryRow('anna', 1)])).rejects.toThrow(/no partition/);
    const replicas = [1, 2, 3].map(() => new OutboxDays({ pool, logger: silentLogger }));
    await Promise.all(replicas.map((days) => days.start()));
    await Promise.all(replicas.map((days) => days.stop()));
    expect(await partitions()).toEqual(await expected(7));
    await insertOutboxRows(pool, [entryRow('anna', 1)]);
  });

  it('D1: those that are there stay, and the missing ones are added', async () => {
    const short = new OutboxDays({ pool, logger: silentLogger, daysAhead: 1 });
    await short.start();
    await short.stop();
    await insertOutboxRows(pool, [entryRow('anna', 1)]);
    const longer = new OutboxDays({ pool, logger: silentLogger, daysAhead: 3 });
    await longer.start();
    await longer.stop();
    expect(await partitions()).toEqual(await expected(3));
    const { rows } = await pool.query('select position from aura.outbox');
    expect(rows).toEqual([{ position: '1' }]);
  });

  it('D2: are added while writers write; and a lock that is held delays them, not the writers', async () => {
    const first = new OutboxDays({ pool, logger: silentLogger, daysAhead: 0 });
    await first.start();
    await first.stop();
    const writer = await database.client();
    await writer.query('begin');
    await insertOutboxRows(writer, [entryRow('anna', 1)]);
    const days = new OutboxDays({ pool, logger: silentLogger, daysAhead: 2 });
    await days.start(); // beside an open transaction that has written
    await days.stop();
    await writer.query('commit');
    await writer.query('begin; lock table aura.outbox in share row exclusive mode');
    const blocked = new OutboxDays({ pool, logger: silentLogger, daysAhead: 4 });
    await expect(blocked.start(2)).rejects.toThrow(/lock timeout/);
    await writer.query('commit');
    await blocked.start();
    await blocked.stop();
    expect(await partitions()).toEqual(await expected(4));
  });

  it('a server that goes away while a day is made fails the round, not the process', async () => {
    const uncaught = vi.fn();
    process.on('uncaughtExceptionMonitor', uncaught);
    await pool.query(
      `create function go_away() returns event_trigger language plpgsql as
         $$ begin perform pg_terminate_backend(pg_backend_pid()); end $$;
       create event trigger go_away on ddl_command_end when tag in ('CREATE TABLE')
         execute function go_away()`,
    );
    const days = new OutboxDays({ pool, logger: silentLogger, daysAhead: 0 });
    await expect(days.start(1)).rejects.toThrow(/terminating connection/);
    await pool.query('drop event trigger go_away');
    await days.start();
    await days.stop();
    process.off('uncaughtExceptionMonitor', uncaught);
    expect(uncaught).not.toHaveBeenCalled();
    expect(await partitions()).toEqual(await expected(0));
  });
});
