import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureDatabase, postgresStatus, Problem, startPostgres, stopPostgres } from './postgres.mjs';

const CLI = fileURLToPath(new URL('postgres.mjs', import.meta.url));
let home;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'aura-pg-spec-'));
  chmodSync(home, 0o755);
});

afterEach(async () => {
  await stopPostgres({ dir: home, remove: true });
  rmSync(home, { recursive: true, force: true });
});

describe('the embedded Postgres', () => {
  it('P1: is found running by a second start, which leaves it to the first one', async () => {
    const first = await startPostgres({ dir: home, durable: false, keep: true });
    const second = await startPostgres({ dir: home, durable: false });
    expect([first.outcome, second.outcome, second.url]).toEqual(['created', 'adopted', first.url]);
    await second.stop();
    expect(postgresStatus({ dir: home }).running).toBe(true);
  });

  it('P1: two starts at once give one server', async () => {
    const children = [1, 2].map(() => starter());
    const urls = await Promise.all(children.map(firstLine));
    expect(urls[0]).toMatch(/^postgres:/);
    expect(urls[1]).toBe(urls[0]);
  });

  it('P1: is taken over from a starter that was killed, and stopped by who took it over', async () => {
    const code = `import { startPostgres } from ${JSON.stringify(CLI)};
      console.log((await startPostgres({ dir: ${JSON.stringify(home)}, durable: false })).url);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const url = await firstLine(child);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const server = await startPostgres({ dir: home, durable: false });
    expect([server.outcome, server.url]).toEqual(['adopted', url]);
    await server.stop();
    expect(postgresStatus({ dir: home }).running).toBe(false);
  });

  it('P2: keeps what was committed when the server itself is killed', async () => {
    const server = await startPostgres({ dir: home });
    await sql(server.url, 'create table kept as select 42 as n');
    process.kill(postgresStatus({ dir: home }).pid, 'SIGKILL');
    const again = await startPostgres({ dir: home });
    expect(again.outcome).toBe('started');
    expect(await sql(again.url, 'select n from kept')).toEqual([{ n: 42 }]);
  });

  it('P2: starts where postmaster.pid names a process that is somebody else by now', async () => {
    const server = await startPostgres({ dir: home, durable: false });
    await server.stop();
    writeFileSync(
      join(server.dir, 'postmaster.pid'),
      `${process.pid}\n${server.dir}\n0\n${server.port}\n\n\n\n`,
    );
    expect((await startPostgres({ dir: home, durable: false })).outcome).toBe('started');
  });

  it('P2: keeps data and port when the file with the password is lost, and sets a new password', async () => {
    const server = await startPostgres({ dir: home, durable: false });
    await sql(server.url, 'create table kept as select 42 as n');
    rmSync(join(home, 'server.json'));
    const again = await startPostgres({ dir: home, durable: false });
    expect(again.url).not.toBe(server.url);
    expect(await sql(again.url, 'select n from kept')).toEqual([{ n: 42 }]);
  });

  it('P3: keeps a random password in a file that only its owner reads', async () => {
    const server = await startPostgres({ dir: home, durable: false });
    const file = join(home, 'server.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8')).password).toHaveLength(32);
    const guessed = Object.assign(new URL(server.url), { password: 'postgres' }).href;
    await expect(sql(guessed, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('takes another port when the usual one is taken, and remembers it', async () => {
    const server = await startPostgres({ dir: home, durable: false });
    await server.stop();
    const thief = await listen(server.port);
    const moved = await startPostgres({ dir: home, durable: false });
    expect(moved.port).not.toBe(server.port);
    await moved.stop();
    thief.close();
    expect((await startPostgres({ dir: home, durable: false })).port).toBe(moved.port);
  });

  it('says who has the port that was asked for', async () => {
    const thief = await listen(0);
    const { port } = thief.address();
    const refused = startPostgres({ dir: home, port, durable: false });
    await expect(refused).rejects.toThrow(Problem);
    await expect(refused).rejects.toThrow(`Port ${port} of 127.0.0.1 is taken by`);
    thief.close();
  });

  it('throws away a data folder that was being made when its maker was killed', async () => {
    const server = await startPostgres({ dir: home, durable: false });
    await stopPostgres({ dir: home });
    rmSync(server.dir, { recursive: true });
    writeFileSync(`${server.dir}.new`, 'half');
    expect((await startPostgres({ dir: home, durable: false })).outcome).toBe('created');
    expect(existsSync(`${server.dir}.new`)).toBe(false);
  });

  it('gives each service a database that the others cannot enter', async () => {
    const { url } = await startPostgres({ dir: home, durable: false });
    const [mine, other] = await Promise.all(['mine', 'other'].map((name) => ensureDatabase(url, { name })));
    expect(await ensureDatabase(url, { name: 'mine' })).toBe(mine);
    await sql(mine, 'create table t (n int)');
    for (const name of ['other', 'postgres'])
      await expect(sql(withDatabase(mine, name), 'select 1')).rejects.toMatchObject({ code: '42501' });
    await expect(sql(other, 'create role intruder')).rejects.toMatchObject({ code: '42501' });
  });
});

function starter() {
  return spawn(process.execPath, [CLI, 'start', '--dir', home, '--fast'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function firstLine(child) {
  for await (const chunk of child.stdout) return String(chunk).trim();
  throw new Error('the starter printed nothing');
}

async function listen(port) {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function sql(url, text) {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined); // the server is killed under it
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const withDatabase = (url, name) => Object.assign(new URL(url), { pathname: `/${name}` }).href;
