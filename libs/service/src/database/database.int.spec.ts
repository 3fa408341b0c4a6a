import { createServer, type Server } from 'node:net';
import { kindOf, Shutdown, TerminalError } from '@aura/platform';
import { settled, type TestDatabase, testDatabase } from '@aura/testing';
import { Controller, Get, Inject, Injectable, Module } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  Column,
  DataSource,
  Entity,
  EntityManager,
  type MigrationInterface,
  PrimaryColumn,
  type QueryRunner,
  type Repository,
} from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask, NOWHERE, recordingLogger, startTestService } from '../../test/service.js';
import { defineConfig } from '../config/config.js';
import type { RunningService } from '../start-service.js';
import { startService } from '../start-service.js';
import { databaseModule } from './database.module.js';
import { whenReachable } from './connection.js';
import { migrate } from './migrate.js';

@Entity('thing')
class Thing {
  @PrimaryColumn({ type: 'uuid', default: () => 'gen_random_uuid()' })
  id!: string;

  @Column({ type: 'text' })
  name!: string;
}

class CreateThing1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'create table thing (id uuid primary key default gen_random_uuid(), name text not null)',
    );
  }
  async down(): Promise<void> {
    throw new Error('forward only');
  }
}

class FillThing1700000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Fails where it runs twice, or before the table is there; the pause makes two starters meet.
    await runner.query(
      `insert into thing (id, name) values ('00000000-0000-4000-8000-000000000001', 'first')`,
    );
    await runner.query('select pg_sleep(0.2)');
  }
  async down(): Promise<void> {
    throw new Error('forward only');
  }
}

class Broken1700000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create table half (id int)');
    await runner.query('insert into nowhere values (1)');
  }
  async down(): Promise<void> {
    throw new Error('forward only');
  }
}

@Injectable()
class Things {
  constructor(
    @InjectRepository(Thing) readonly repository: Repository<Thing>,
    @Inject(EntityManager) readonly manager: EntityManager,
  ) {}
}

@Controller('things')
class ThingsController {
  constructor(private readonly things: Things) {}

  @Get()
  all(): Promise<Thing[]> {
    return this.things.repository.find();
  }
}

const MIGRATIONS = [CreateThing1700000000001, FillThing1700000000002];

@Module({
  imports: [databaseModule({ entities: [Thing], migrations: MIGRATIONS }), TypeOrmModule.forFeature([Thing])],
  controllers: [ThingsController],
  providers: [Things],
})
class ThingsModule {}

let database: TestDatabase;
const running: RunningService[] = [];
beforeEach(async () => {
  database = await testDatabase('service');
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.stop()));
  await database.drop();
});

async function start(
  environment: Record<string, string> = {},
  logger = recordingLogger(),
): Promise<RunningService> {
  const service = await startTestService(
    ThingsModule,
    { AURA_DATABASE_URL: database.url, ...environment },
    logger,
  );
  running.push(service);
  return service;
}

describe('the database of a service', () => {
  it('is migrated and connected before the service answers, and is ready', async () => {
    const service = await start();
    expect((await ask(`${service.url}/things`)).json).toEqual([
      { id: '00000000-0000-4000-8000-000000000001', name: 'first' },
    ]);
    const { status, json } = await ask(`${service.url}/health/ready`);
    expect(status).toBe(200);
    expect(json).toEqual({ status: 'ok', checks: { database: { status: 'up' } } });
    const things = service.app.get(Things);
    expect(things.manager).toBe(service.app.get(DataSource).manager);
  });

  it('has a limit on everything that can wait, and its name on every connection', async () => {
    const service = await start();
    const [row] = await service.app.get(DataSource).query<Record<string, string>[]>(
      `select current_setting('lock_timeout') lock, current_setting('statement_timeout') statement,
              current_setting('idle_in_transaction_session_timeout') idle,
              current_setting('application_name') name`,
    );
    expect(row).toEqual({ lock: '5s', statement: '30s', idle: '1min', name: 'things' });
  });

  it('is migrated once, however many replicas start together', async () => {
    const logger = recordingLogger();
    await Promise.all([start({}, logger), start({}, logger), start({}, logger)]);
    expect(
      logger.lines.filter(({ message }) => message === 'migrated').map(({ fields }) => fields['migration']),
    ).toEqual(MIGRATIONS.map(({ name }) => name));
    expect(logger.lines.some(({ message }) => message.startsWith('waiting for another process'))).toBe(true);
  });

  it('keeps what succeeded when a migration fails, nothing of the one that failed, and stops', async () => {
    const options = { name: 'things', url: database.url, migrations: [...MIGRATIONS, Broken1700000000003] };
    const error = await migrate(options, recordingLogger()).catch((caught: unknown) => caught);
    expect(kindOf(error)).toBe('invariant');
    const client = await database.client();
    const { rows } = await client.query(
      `select to_regclass('half') half, (select count(*)::int from thing) things`,
    );
    expect(rows).toEqual([{ half: null, things: 1 }]);
    // The lock is free again, and what ran does not run twice.
    expect(await migrate({ ...options, migrations: MIGRATIONS }, recordingLogger())).toEqual([]);
  });

  it('is not ready when it is gone, in words, and the service lives on', async () => {
    const service = await start();
    await database.drop();
    const { status, json } = await settled('not ready', async () => {
      const answer = await ask(`${service.url}/health/ready`);
      return answer.status === 503 ? answer : undefined;
    });
    expect(status).toBe(503);
    expect(json.type).toBe('urn:aura:problem:not-ready');
    expect(json.detail).toMatch(/^not ready: database \(/);
    expect((await ask(`${service.url}/health/live`)).status).toBe(200);
    expect((await ask(`${service.url}/things`)).text).not.toContain('does not exist');
  });

  it('is waited for at start, and the log says what for', async () => {
    // A port where nobody answers yet, and then a way through to the real server.
    const proxy = await closedProxy(database.url);
    const logger = recordingLogger();
    const starting = start({ AURA_DATABASE_URL: proxy.url }, logger);
    const said = await settled('waiting', () => logger.lines.find(({ level }) => level === 'warn'));
    expect(said.message).toBe(
      `waiting for the database of things at ${new URL(proxy.url).host}${new URL(proxy.url).pathname}`,
    );
    await proxy.open();
    await starting;
    await running.pop()?.stop();
    await proxy.close();
  });

  it('is not waited for for ever, nor where the start is called off, nor where it refuses us', async () => {
    await expect(
      start({ AURA_DATABASE_URL: 'postgres://x@127.0.0.1:1/x', AURA_DATABASE_WAIT_MS: '30' }),
    ).rejects.toThrow(
      'the database of things at 127.0.0.1:1/x did not answer within 30 ms: is it running, is the',
    );
    const off = new AbortController();
    const logger = recordingLogger();
    const starting = startService({
      config: defineConfig('things'),
      module: () => ThingsModule,
      environment: NOWHERE,
      logger,
      signal: off.signal,
    });
    const outcome = expect(starting).rejects.toThrow(
      'the start was called off while waiting for the database of things',
    );
    await settled('waiting', () => logger.lines.find(({ level }) => level === 'warn'));
    off.abort();
    await outcome;
    const missing = new URL(database.url);
    missing.pathname = '/no_such_database';
    await expect(start({ AURA_DATABASE_URL: missing.href })).rejects.toBeInstanceOf(TerminalError);
    await expect(
      whenReachable('it', () => Promise.reject(new TypeError('a bug')), recordingLogger(), {
        waitMs: 60_000,
      }),
    ).rejects.toThrow('a bug');
  });

  it('closes with the pools: after what uses it', async () => {
    const service = await start();
    const source = service.app.get(DataSource);
    const seen: boolean[] = [];
    const shutdown = service.app.get(Shutdown);
    for (const stage of ['consumers', 'work', 'relay', 'producer'] as const)
      shutdown.add(
        stage,
        stage,
        async () => void seen.push((await source.query<unknown[]>('select 1')).length === 1),
      );
    await service.stop();
    expect(seen).toEqual([true, true, true, true]);
    expect(source.isInitialized).toBe(false);
  });
});

/** A TCP port that refuses until `open()`, then leads to the server of `url`. */
async function closedProxy(
  url: string,
): Promise<{ url: string; open(): Promise<void>; close(): Promise<void> }> {
  const { connect } = await import('node:net');
  const target = new URL(url);
  const server: Server = createServer((socket) => {
    const upstream = connect(Number(target.port), target.hostname);
    socket.pipe(upstream).pipe(socket);
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  await listen(0);
  const { port } = server.address() as { port: number };
  await close();
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String(port);
  return { url: through.href, open: () => listen(port), close };
}
