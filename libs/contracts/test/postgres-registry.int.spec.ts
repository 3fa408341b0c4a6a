import { kindOf } from '@aura/platform';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfluentRegistry, PostgresRegistry, SchemaRefusedError, type AvroSchema } from '../src/index.js';

const schema = (...fields: object[]): AvroSchema => ({
  type: 'record',
  name: 'R',
  namespace: 'n',
  fields: [{ name: 'id', type: 'string' }, ...fields],
});

describe('the embedded registry', () => {
  let database: TestDatabase;
  let registry: PostgresRegistry;
  beforeEach(async () => {
    database = await testDatabase('registry');
    registry = new PostgresRegistry({ database: database.url });
  });
  afterEach(async () => {
    await registry.close();
    await database.drop();
  });

  it('R2: lets one of two revisions in that do not bear each other', async () => {
    await registry.register('s', schema());
    // Holds both back just before they write: unless they are ordered, both have looked at what was there
    // by then.
    const gate = await database.client();
    await gate.query('begin');
    await gate.query('lock table aura_registry.schema in share mode');
    const others = ['int', 'string'].map((type) => ({
      type,
      other: new PostgresRegistry({ database: database.url }),
    }));
    const rivals = Promise.allSettled(
      others.map(({ type, other }) =>
        other.register('s', schema({ name: 'v', type, default: type === 'int' ? 0 : '' })),
      ),
    );
    const observer = await database.client();
    await settled('both rivals wait', async () => {
      const { rows } = await observer.query<{ waiting: number }>(
        `select count(*)::int as waiting from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows[0]?.waiting === 2;
    });
    await gate.query('commit');
    const refusals = (await rivals).flatMap((r) => (r.status === 'rejected' ? [r.reason as Error] : []));
    await Promise.all(others.map(({ other }) => other.close()));
    expect(refusals).toEqual([expect.any(SchemaRefusedError)]);
  });

  it('a server that goes away during a statement fails the call, not the process', async () => {
    const uncaught = vi.fn();
    process.on('uncaughtExceptionMonitor', uncaught);
    const admin = await database.client();
    await admin.query(
      `create function go_away() returns event_trigger language plpgsql as
         $$ begin perform pg_terminate_backend(pg_backend_pid()); end $$;
       create event trigger go_away on ddl_command_end when tag in ('CREATE TABLE')
         execute function go_away()`,
    );
    await expect(registry.register('s', schema())).rejects.toSatisfy((e) => kindOf(e) === 'transient');
    await admin.query('drop event trigger go_away');
    expect(await registry.register('s', schema())).toBeGreaterThan(0);
    process.off('uncaughtExceptionMonitor', uncaught);
    expect(uncaught).not.toHaveBeenCalled();
  });

  it('R1: one schema has one id in all subjects', async () => {
    expect(await registry.register('s', schema())).toBe(await registry.register('t', schema()));
  });

  it('is made by many processes at once, when first needed', async () => {
    const all = Array.from({ length: 6 }, () => new PostgresRegistry({ database: database.url }));
    const ids = await Promise.all(all.map((r) => r.register('s', schema())));
    await Promise.all(all.map((r) => r.close()));
    expect(new Set(ids).size).toBe(1);
  });

  it('asks once for a schema that many events want, and remembers it', async () => {
    const id = await registry.register('s', schema());
    const pool = new Pool({ connectionString: database.url });
    let queries = 0;
    pool.on('acquire', () => queries++);
    const reader = new PostgresRegistry({ database: pool });
    await reader.schemaById(id);
    const before = queries;
    const other = await registry.register('s', schema({ name: 'v', type: 'int', default: 0 }));
    await Promise.all(Array.from({ length: 50 }, () => reader.schemaById(other)));
    await reader.schemaById(id);
    expect(queries - before).toBe(1);
    await reader.close();
    expect(pool.ended).toBe(false);
    await pool.end();
  });

  it('refuses what is no schema', async () => {
    await expect(registry.register('s', { type: 'record', name: 'R' })).rejects.toThrow(SchemaRefusedError);
  });
});

describe('a registry that is away', () => {
  // A port that nobody listens on: bound and closed by the kernel's choice would race; port 1 is never ours.
  it.each([
    ['postgres', () => new PostgresRegistry({ database: 'postgres://nobody@127.0.0.1:1/none' })],
    ['confluent', () => new ConfluentRegistry({ url: 'http://127.0.0.1:1' })],
  ])('%s: transient, and asked again', async (_, open) => {
    const registry = open();
    for (const call of [
      () => registry.schemaById(1),
      () => registry.register('s', schema()),
      () => registry.schemaById(1),
    ])
      expect(kindOf(await call().catch((error: unknown) => error))).toBe('transient');
    await registry.close();
  });

  it('postgres: works once its database is there', async () => {
    const database = await testDatabase('registry_late');
    const url = database.url;
    await database.drop();
    const registry = new PostgresRegistry({ database: url });
    expect(kindOf(await registry.register('s', schema()).catch((error: unknown) => error))).toBe('transient');
    const admin = new Pool({ connectionString: process.env['AURA_TEST_PG_URL'] });
    await admin.query(`create database ${new URL(url).pathname.slice(1)}`);
    try {
      expect(await registry.register('s', schema())).toEqual(expect.any(Number));
    } finally {
      await registry.close();
      await admin.query(`drop database ${new URL(url).pathname.slice(1)} with (force)`);
      await admin.end();
    }
  });

  it('a ping of a database that is away is transient', async () => {
    const away = new PostgresRegistry({ database: 'postgres://nobody@127.0.0.1:1/none' });
    expect(kindOf(await away.ping(2_000).catch((error: unknown) => error))).toBe('transient');
    await away.close();
  });
});
