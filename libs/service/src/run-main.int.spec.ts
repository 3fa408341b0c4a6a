import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { InvariantError, TransientError } from '@aura/platform';
import { settled, type TestDatabase, testDatabase } from '@aura/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleMain } from '../test/bundle.js';
import { ask } from '../test/service.js';
import { sentenceOf } from './run-main.js';

interface Main {
  readonly process: ChildProcess;
  readonly out: { text: string };
  readonly err: { text: string };
  /** Resolves when it has started. */
  url(): Promise<string>;
  /** The exit code, and null where a signal ended it. */
  ended(): Promise<number | null>;
}

let database: TestDatabase;
let bundle: Bundle;
const mains: Main[] = [];
beforeAll(async () => {
  [database, bundle] = await Promise.all([testDatabase('main'), bundleMain()]);
});
afterEach(async () => {
  for (const main of mains.splice(0)) {
    main.process.kill('SIGKILL');
    await main.ended();
  }
});
afterAll(() => Promise.all([database.drop(), bundle.remove()]));

/** test/main.ts in a process of its own, with the telemetry hooks. */
function run(environment: Record<string, string> = {}): Main {
  const child = spawn(process.execPath, ['--import', bundle.register, bundle.main], {
    env: {
      PATH: process.env['PATH'],
      AURA_DATABASE_URL: database.url,
      AURA_LOG_URL: database.url,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = [{ text: '' }, { text: '' }];
  child.stdout.on('data', (chunk: Buffer) => (out.text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err.text += chunk.toString()));
  const exit = once(child, 'close') as Promise<[number | null]>;
  const url = (): Promise<string> =>
    settled('started', () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${err.text}`);
      const line = out.text.split('\n').find((text) => text.includes('"message":"started"'));
      return line && (JSON.parse(line) as { url: string }).url;
    });
  const running: Main = { process: child, out, err, url, ended: async () => (await exit)[0] };
  mains.push(running);
  return running;
}

describe('runMain', () => {
  it('exits at once at the second, whatever is under way', async () => {
    const service = run();
    const url = await service.url();
    const cut = fetch(`${url}/things/never/ending`).catch((error: unknown) => error);
    await settled('under way', () => service.err.text.includes('under way'));
    service.process.kill('SIGINT');
    await settled('no more taken', () =>
      fetch(`${url}/health/live`).then(
        () => false,
        () => true,
      ),
    );
    expect(service.process.exitCode).toBeNull();
    service.process.kill('SIGINT');
    expect(await service.ended()).toBe(130);
    expect(await cut).toBeInstanceOf(Error);
  });

  it('says in one sentence why it could not start, and exits 1', async () => {
    const wrong = run({ AURA_HTTP_PORT: 'x', AURA_LOG_KIND: 'rabbit' });
    const away = run({
      AURA_DATABASE_URL: 'postgres://u:hunter2@127.0.0.1:1/x',
      AURA_DATABASE_WAIT_MS: '1',
    });
    expect(await Promise.all([wrong.ended(), away.ended()])).toEqual([1, 1]);
    expect(wrong.err.text).toBe(
      "things can't start, its configuration has 2 problems:\n" +
        '  - AURA_HTTP_PORT must be a whole number\n' +
        '  - AURA_LOG_KIND must be one of postgres, kafka\n',
    );
    expect(away.err.text).toBe(
      "things can't start: the database of things at 127.0.0.1:1/x did not answer within 1 ms: " +
        'is it running, is the address right? (connect ECONNREFUSED 127.0.0.1:1)\n',
    );
    expect(away.out.text + away.err.text).not.toContain('hunter2');
  });

  it('can be stopped while it waits for its database', async () => {
    const waiting = run({ AURA_DATABASE_URL: 'postgres://u@127.0.0.1:1/x' });
    await settled('waiting', () => waiting.out.text.includes('waiting for the database'));
    waiting.process.kill('SIGTERM');
    expect(await waiting.ended()).toBe(0);
    expect(waiting.err.text).toBe('');
  });

  it('names causes, and gives a stack only for what nobody expected', () => {
    const cause = new Error('relation "x" does not exist');
    expect(sentenceOf('things', new InvariantError('a migration failed', { cause }))).toBe(
      'things can\'t start: a migration failed (relation "x" does not exist)',
    );
    expect(sentenceOf('things', new TransientError("things can't start: busy"))).toBe(
      "things can't start: busy",
    );
    expect(sentenceOf('things', new TypeError('a bug'))).toContain('run-main.int.spec.ts');
  });
});

describe('telemetry of a process', () => {
  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;
  const received: { path: string | undefined; body: Buffer }[] = [];
  const keep = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    received.push({ path: request.url, body: await buffer(request) });
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  };
  let collector: Server;
  beforeAll(async () => {
    collector = createServer((request, response) => {
      void keep(request, response);
    }).listen(0, '127.0.0.1');
    await once(collector, 'listening');
  });
  afterAll(() => collector.close());

  it('carries one trace from request to database and to what is raised; flushed at the stop', async () => {
    const { port } = collector.address() as { port: number };
    const service = run({ AURA_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    const url = await service.url();
    const answer = await ask(`${url}/things/7`, { headers: { traceparent } });
    const { carried } = answer.json as unknown as { carried: string };
    expect(carried).toMatch(new RegExp(`^00-${TRACE}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`));
    const metrics = await ask(`${url}/metrics`);
    expect(metrics.text).toMatch(/http_server_request_duration_count\{[^}]*http_route="\/things\/:id"/);
    expect(metrics.text).not.toContain(process.execPath);
    service.process.kill('SIGTERM');
    expect(await service.ended()).toBe(0);
    const request = service.out.text.split('\n').find((line) => line.includes('"message":"request"'));
    expect(JSON.parse(request ?? '{}')).toMatchObject({ path: '/things/7', trace_id: TRACE });

    expect(new Set(received.map(({ path }) => path))).toEqual(new Set(['/v1/traces']));
    const sent = Buffer.concat(received.map(({ body }) => body));
    // Names are plain text in protobuf, ids are bytes. service.name is that of the package that holds
    // main.ts.
    for (const name of [
      'ThingsController.get',
      'GET /things/:id',
      'visible_in_the_trace',
      'service.name',
      'service',
    ])
      expect(sent.includes(name), name).toBe(true);
    expect(sent.includes(Buffer.from(TRACE, 'hex'))).toBe(true);
    expect(sent.includes('/metrics')).toBe(false);
  });
});
