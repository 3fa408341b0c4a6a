import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { ConflictError, InvariantError, TerminalError, TransientError } from '@aura/platform';
import { Body, Controller, Get, Module, NotFoundException, Param, Post, Query } from '@nestjs/common';
import { ApiConsumes } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, jsonBody, recordingLogger, startTestService } from '../../test/service.js';
import type { RunningService } from '../start-service.js';
import { IdempotencyKey } from './idempotency-key.js';
import { ProblemException } from './problem.js';
import { validated } from './validation.js';

const INNER = 'the inner text of table payroll';
const Photo = z.object({ name: z.string().min(1), size: z.object({ width: z.number().int() }) });
const Page = z.object({ limit: z.coerce.number().int().max(10).default(5) });

const FAILURES: Record<string, () => Error> = {
  transient: () => new TransientError(INNER),
  conflict: () => new ConflictError('thing 7 was changed meanwhile: read it again'),
  terminal: () => new TerminalError('thing 7 is sold: choose another'),
  invariant: () => new InvariantError(INNER),
  refused: () => Object.assign(new Error(INNER), { code: 'ECONNREFUSED' }),
  deadlock: () => Object.assign(new Error(INNER), { code: '40P01' }),
  unique: () => Object.assign(new Error(INNER), { code: '23505' }),
  bug: () => new TypeError(INNER),
  zod: () => z.string().safeParse(INNER.length).error ?? new Error('unreachable'),
  own: () => new ProblemException({ status: 410, kind: 'sold', detail: 'Gone.', extensions: { thing: '7' } }),
};

@Controller('things')
class ThingsController {
  @Get()
  page(@Query({ schema: Page }) page: z.infer<typeof Page>): unknown {
    return page;
  }

  @Get(':id')
  get(@Param('id') id: string): { id: string } {
    if (id === 'none') throw new NotFoundException('There is no thing none.');
    return { id };
  }

  @Post()
  make(@Body({ schema: Photo }) photo: z.infer<typeof Photo>): unknown {
    return photo;
  }

  @Post('form')
  @ApiConsumes('multipart/form-data')
  form(): Promise<unknown> {
    return validated(Photo, { name: '' });
  }

  @Post('once')
  once(@IdempotencyKey() key: string): { key: string } {
    return { key };
  }

  @Post('perhaps-once')
  perhapsOnce(@IdempotencyKey({ required: false }) key?: string): { key: string | null } {
    return { key: key ?? null };
  }

  @Post('fail/:how')
  fail(@Param('how') how: string): void {
    throw FAILURES[how]?.() ?? new Error(`no failure ${how}`);
  }

  @Get('slow/ever')
  slow(): Promise<void> {
    return new Promise(() => undefined);
  }
}

@Module({ controllers: [ThingsController] })
class ThingsModule {}

const logger = recordingLogger();
let service: RunningService;
beforeAll(async () => {
  service = await startTestService(ThingsModule, { AURA_HTTP_TIMEOUT_MS: '1000' }, logger);
});
afterAll(() => service.stop());

const post = (path: string, init: RequestInit = {}) => ask(service.url + path, { method: 'POST', ...init });
const get = (path: string, init: RequestInit = {}) => ask(service.url + path, init);

describe('problems', () => {
  it.each([
    ['GET', '/nothing', {}, 404, 'There is nothing at /nothing.'],
    ['GET', '/things/none', {}, 404, 'There is no thing none.'],
    ['DELETE', '/things/7', {}, 405, '/things/7 has no DELETE, only GET, HEAD.'],
    ['GET', '/things/%E0%A4%A', {}, 400, undefined],
    ['POST', '/things', jsonBody('{"name":'), 400, 'The body is not valid JSON.'],
    [
      'POST',
      '/things',
      jsonBody({ name: 'x'.repeat(200_000) }),
      413,
      'The body is larger than 102400 bytes.',
    ],
    [
      'POST',
      '/things',
      { body: 'x', headers: { 'content-type': 'text/plain' } },
      415,
      'The body must be application/json.',
    ],
    ['POST', '/things', { body: Buffer.from('x') }, 415, 'The body must be application/json.'],
    ['POST', '/things/form', jsonBody({}), 415, 'The body must be multipart/form-data.'],
    [
      'POST',
      '/things/once',
      {},
      400,
      'This request needs an Idempotency-Key header: send the same key when you repeat it.',
    ],
    ['POST', '/things/fail/conflict', {}, 409, 'thing 7 was changed meanwhile: read it again'],
    ['POST', '/things/fail/terminal', {}, 422, 'thing 7 is sold: choose another'],
    ['POST', '/things/fail/own', {}, 410, 'Gone.'],
  ] as const)('%s %s is a problem (%#)', async (method, path, init, status, detail) => {
    const answer = await get(path, { method, ...init });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.json).toMatchObject({ status, ...(detail ? { detail } : {}) });
    expect(answer.json.instance).toBe(answer.headers.get('x-request-id'));
  });

  it('names the methods that a path has', async () => {
    const { headers } = await get('/things/7', { method: 'PUT' });
    expect(headers.get('allow')).toBe('GET, HEAD');
  });

  it.each([
    ['transient', 503, '2'],
    ['refused', 503, '2'],
    ['deadlock', 409, null],
    ['invariant', 500, null],
    ['unique', 500, null],
    ['bug', 500, null],
    ['zod', 500, null],
  ])('P2, P3: a %s error is a %i without its text, which the log has', async (how, status, retryAfter) => {
    logger.lines.length = 0;
    const answer = await post(`/things/fail/${how}`);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('retry-after')).toBe(retryAfter);
    expect(answer.text).not.toContain(INNER);
    expect(answer.text).not.toContain('expected string');
    if (status < 500) return;
    const failed = logger.lines.find(({ message }) => message === 'a request failed');
    expect(failed?.fields['error']).toBeInstanceOf(Error);
  });

  it('lists every invalid part, with its path', async () => {
    const { status, json } = await post('/things', jsonBody({ name: '', size: { width: 'wide' } }));
    expect(status).toBe(400);
    expect(json).toMatchObject({
      type: 'urn:aura:problem:invalid',
      detail: '2 parts are invalid: see "errors".',
    });
    expect(json.errors?.map(({ path }) => path)).toEqual(['name', 'size.width']);
    expect((await get('/things?limit=11')).json.errors?.[0]?.path).toBe('limit');
    expect((await get('/things')).json).toEqual({ limit: 5 });
    const form = new FormData();
    form.set('name', 'x');
    expect((await post('/things/form', { body: form })).json.errors).toHaveLength(2);
  });

  it('answers 503 where a handler takes too long', async () => {
    const { status, json, headers } = await get('/things/slow/ever');
    expect(status).toBe(503);
    expect(json.type).toBe('urn:aura:problem:timeout');
    expect(headers.get('retry-after')).toBe('2');
  });

  it.each([
    ['NOT HTTP\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('is a problem even where Node could not read the request: %#', async (bytes, status) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.write(bytes);
    const answer = await textOf(socket);
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(answer).toContain('application/problem+json');
    expect(answer).toContain(`"status":${status}`);
  });

  it('is a problem where a request did not arrive in time', async () => {
    const server: Server = service.app.getHttpServer();
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    const [ours] = await accepted;
    // What Node emits when `requestTimeout` is over; it looks only every 30 s.
    server.emit('clientError', Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), ours);
    expect(await textOf(socket)).toContain(
      'HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json',
    );
  });
});

describe('request ids', () => {
  it("takes the caller's, and answers with it", async () => {
    const { headers, json } = await get('/nothing', { headers: { 'x-request-id': 'from-outside.7' } });
    expect(headers.get('x-request-id')).toBe('from-outside.7');
    expect(json.instance).toBe('from-outside.7');
  });

  it.each(['a b', 'x'.repeat(129), '<script>', 'a/../b'])(
    'makes one where the given is unusable: %s',
    async (given) => {
      const { headers } = await get('/nothing', { headers: { 'x-request-id': given } });
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    },
  );
});

describe('Idempotency-Key', () => {
  it.each([
    ['k-1', 'k-1'],
    ['"k-1"', 'k-1'],
    ['!~', '!~'],
    ['x'.repeat(255), 'x'.repeat(255)],
  ])('reads %s', async (header, key) => {
    expect((await post('/things/once', { headers: { 'idempotency-key': header } })).json).toEqual({ key });
  });

  it.each(['', '""', 'a b', 'x'.repeat(256), 'ü'])('refuses "%s"', async (header) => {
    const { status, json } = await post('/things/once', { headers: { 'idempotency-key': header } });
    expect(status).toBe(400);
    expect(json.type).toBe('urn:aura:problem:idempotency-key');
  });

  it('may be left out where it is not required', async () => {
    expect((await post('/things/perhaps-once')).json).toEqual({ key: null });
  });
});

describe('the shell around the routes', () => {
  it('sends the headers of helmet and none that names the server', async () => {
    const { headers } = await get('/things/7');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it('logs each request once, without its query', async () => {
    logger.lines.length = 0;
    await get('/things/7?token=abc');
    await get('/health/live');
    const requests = logger.lines.filter(({ message }) => message === 'request');
    expect(requests).toMatchObject([
      { level: 'info', fields: { method: 'GET', path: '/things/7', status: 200 } },
      { level: 'debug', fields: { path: '/health/live' } },
    ]);
    expect(JSON.stringify(requests)).not.toContain('abc');
  });

  it('describes itself, schemas and problems included', async () => {
    const { json } = await get('/openapi.json');
    const paths = json['paths'] as Record<
      string,
      Record<string, { responses: object; parameters?: unknown[] }>
    >;
    expect(Object.keys(paths)).toContain('/things/{id}');
    expect(paths['/things']?.['post']?.responses).toHaveProperty('default');
    expect(JSON.stringify(paths['/things']?.['post'])).toContain('width');
    expect(JSON.stringify(paths['/things/once']?.['post']?.parameters)).toContain('Idempotency-Key');
    expect(json['components']).toHaveProperty('schemas.Problem');
    expect(Object.keys(paths).filter((path) => path.startsWith('/health'))).toEqual([]);
  });

  it('serves a page for people from itself alone', async () => {
    const page = await get('/docs');
    expect(page.status).toBe(200);
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? '');
    expect(links.length).toBeGreaterThan(3);
    for (const link of links) {
      expect(link).not.toMatch(/^(https?:)?\/\//);
      expect((await fetch(new URL(link, `${service.url}/docs`))).status).toBe(200);
    }
    expect((await get('/docs/swagger-ui-init.js')).text).toContain('"validatorUrl": null');
  });

  it('serves no docs where they are switched off, and no metrics without telemetry', async () => {
    const quiet = await startTestService(ThingsModule, { AURA_DOCS: 'false' });
    try {
      expect((await ask(`${quiet.url}/docs`)).status).toBe(404);
      expect((await ask(`${quiet.url}/metrics`)).json).toMatchObject({
        status: 404,
        detail: 'Telemetry is not running here.',
      });
    } finally {
      await quiet.stop();
    }
  });
});
