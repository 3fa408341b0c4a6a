import { connect } from 'node:net';
import { silentLogger } from '@aura/platform';
import { startService, type RunningService } from '@aura/service';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Client } from 'pg';
import { gateway } from '../src/gateway.js';
import { MOST_UPLOADS } from '../src/http/upload-slots.js';
import * as pictures from './pictures.js';

let databases: TestDatabase[];
let service: RunningService;
let db: Client;
beforeAll(async () => {
  databases = [await testDatabase('gateway'), await testDatabase('log')];
  const [own, log] = databases;
  service = await startService({
    ...gateway,
    logger: silentLogger,
    port: 0,
    environment: {
      AURA_DATABASE_URL: own?.url,
      AURA_LOG_URL: log?.url,
      AURA_CREATE_TOPICS: 'true',
      AURA_SERVICE_TOKEN_SECRET: 'only for this test, but long enough',
    },
  });
  db = (await own?.client()) as Client;
});
afterAll(async () => {
  await service.stop();
  for (const database of databases) await database.drop();
});
beforeEach(() => db.query('truncate photo, analysis, idempotency_key, aura.outbox'));

interface Answer {
  status: number;
  type: string | null;
  location: string | null;
  body: Record<string, unknown>;
}

async function post(
  body: FormData | string | undefined,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${service.url}/photos`, {
    method: 'POST',
    ...(body ? { body } : {}),
    headers,
  });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    location: response.headers.get('location'),
    body: (await response.json()) as Record<string, unknown>,
  };
}

function form(bytes: Buffer, { part = 'photo', name = 'me.jpg' } = {}): FormData {
  const data = new FormData();
  data.set(part, new Blob([Uint8Array.from(bytes)], { type: 'image/jpeg' }), name);
  return data;
}

async function kept(): Promise<{ photos: number; analyses: number; events: number }> {
  const { rows } = await db.query(`select (select count(*)::int from photo) as photos,
    (select count(*)::int from analysis) as analyses, (select count(*)::int from aura.outbox) as events`);
  return rows[0];
}

it('keeps a photo and raises its event, and says where the analysis is', async () => {
  const answer = await post(form(await pictures.fromAPhone()));
  const id = String(answer.body['id']);
  expect(answer).toMatchObject({
    status: 202,
    location: `/analyses/${id}`,
    body: { analysis: `/analyses/${id}` },
  });
  expect(await kept()).toEqual({ photos: 1, analyses: 1, events: 1 });
  const { rows } = await db.query('select key, type, topic from aura.outbox');
  expect(rows).toEqual([{ key: id, type: 'gateway.PhotoReceived', topic: 'gateway.events' }]);
  const view = await fetch(`${service.url}${answer.location}`);
  expect(await view.json()).toMatchObject({
    id,
    state: 'received',
    result: null,
    steps: [{ name: 'received' }],
  });
});

type Refusal = [what: string, status: number, kind: string | undefined, body: () => Body | Promise<Body>];
type Body = FormData | undefined;

const REFUSALS: readonly Refusal[] = [
  ['a text file called .jpg', 415, 'photo-unsupported', () => form(Buffer.from('not a picture'))],
  ['an SVG', 415, 'photo-unsupported', () => form(pictures.svg())],
  ['an animated GIF', 415, 'photo-unsupported', async () => form(await pictures.animated('gif'))],
  ['an animated WebP', 415, 'photo-animated', async () => form(await pictures.animated('webp'))],
  ['a truncated JPEG', 422, 'photo-unreadable', async () => form(await pictures.truncatedJpeg())],
  ['a bomb of 30,000 x 30,000', 422, 'photo-too-many-pixels', () => form(pictures.bomb())],
  ['a part of 0 bytes', 400, 'photo-empty', () => form(Buffer.alloc(0))],
  ['another part', 400, undefined, async () => form(await pictures.jpeg(), { part: 'picture' })],
  ['an empty form', 400, 'photo-missing', () => new FormData()],
  ['no body', 400, 'photo-missing', () => undefined],
  ['a byte over 10 MB', 413, 'photo-too-large', () => form(Buffer.alloc(10_000_001))],
];

it.each(REFUSALS)('refuses %s with a problem document, and keeps nothing', async (_, status, kind, body) => {
  const answer = await post(await body());
  expect(answer).toMatchObject({ status, type: expect.stringContaining('application/problem+json') });
  expect(answer.body).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) });
  if (kind) expect(answer.body['type']).toBe(`urn:aura:problem:${kind}`);
  expect(await kept()).toEqual({ photos: 0, analyses: 0, events: 0 });
});

it.each(['application/json', 'image/jpeg', 'text/plain'])('refuses a body of type %s', async (type) => {
  const answer = await post('{}', { 'content-type': type });
  expect(answer).toMatchObject({ status: 415, type: expect.stringContaining('application/problem+json') });
});

it('the same Idempotency-Key gives the same photo, also when both requests come at once', async () => {
  const bytes = await pictures.jpeg();
  const headers = { 'idempotency-key': 'once' };
  const answers = await Promise.all([1, 2, 3, 4].map(() => post(form(bytes), headers)));
  expect(new Set(answers.map(({ status, body }) => `${status} ${String(body['id'])}`)).size).toBe(1);
  expect(await kept()).toEqual({ photos: 1, analyses: 1, events: 1 });
});

it('an Idempotency-Key can’t be used for another photo', async () => {
  const headers = { 'idempotency-key': 'once' };
  await post(form(await pictures.jpeg()), headers);
  const answer = await post(form(await pictures.png()), headers);
  expect(answer).toMatchObject({ status: 422, body: { type: 'urn:aura:problem:idempotency-key-reused' } });
  expect((await kept()).photos).toBe(1);
});

it('bytes are for services with a token only', async () => {
  const { body } = await post(form(await pictures.jpeg()));
  const response = await fetch(`${service.url}/photos/${String(body['id'])}/bytes`);
  expect([response.status, response.headers.get('content-type')]).toEqual([
    401,
    expect.stringContaining('application/problem+json'),
  ]);
});

it.each([
  '/analyses/00000000-0000-4000-8000-000000000000',
  '/analyses/00000000-0000-4000-8000-000000000000/events',
])('says 404 to an analysis that is not there: %s', async (path) => {
  const response = await fetch(service.url + path);
  expect([response.status, await response.json()]).toEqual([404, expect.objectContaining({ status: 404 })]);
});

it('says 400 to an id that is none', async () => {
  expect((await fetch(`${service.url}/analyses/me`)).status).toBe(400);
});

it('has an OpenAPI document of its routes', async () => {
  const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as { paths: object };
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(['/photos', '/analyses/{id}', '/analyses/{id}/events']),
  );
});

it('takes so many uploads at a time, and tells the next one to come back', async () => {
  const bytes = await pictures.jpeg();
  const boundary = 'half-sent';
  const head = `--${boundary}\r\ncontent-disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n`;
  // More than fit: one that meets a whole photo in the last slot is refused, and does not come back.
  const open = Array.from({ length: 2 * MOST_UPLOADS }, () => {
    const half = connect(Number(new URL(service.url).port), '127.0.0.1');
    half.on('error', () => undefined); // those are cut off
    half.write(
      `POST /photos HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data; boundary=${boundary}\r\n` +
        `content-length: 100000\r\n\r\n${head}`,
    );
    return half;
  });
  const refused = await settled('a 503', async () => {
    const answer = await post(form(bytes));
    return answer.status === 503 && answer;
  });
  expect(refused).toMatchObject({ type: expect.stringContaining('problem+json'), body: { status: 503 } });
  for (const half of open) half.destroy();
  await settled('room again', async () => (await post(form(bytes))).status === 202);
});
