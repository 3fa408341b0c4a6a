/** What the gateway passes on, to a service that writes down what it is sent and answers as a test says. */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '@aura/platform';
import { startService, type RunningService } from '@aura/service';
import { testDatabase, type TestDatabase } from '@aura/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gateway } from '../src/gateway.js';

interface Heard {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const TIMEOUT_MS = 400;

let databases: TestDatabase[];
let service: RunningService;
let owner: Server;
let heard: Heard[];
let answer: (response: ServerResponse) => void;

beforeAll(async () => {
  owner = createServer((request, response) => {
    const { method, url, headers } = request;
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.once('end', () => {
      heard.push({ method, url, headers, body });
      answer(response);
    });
  });
  const ownerUrl = `http://127.0.0.1:${await listening(owner)}`;
  const nobody = createServer();
  const away = `http://127.0.0.1:${await listening(nobody)}`;
  await new Promise((closed) => nobody.close(closed));
  databases = [await testDatabase('gateway'), await testDatabase('log')];
  const [own, log] = databases;
  service = await startService({
    ...gateway,
    logger: silentLogger,
    port: 0,
    telemetry: true,
    environment: {
      AURA_DATABASE_URL: own?.url,
      AURA_LOG_URL: log?.url,
      AURA_CREATE_TOPICS: 'true',
      AURA_CHECKOUT_URL: ownerUrl,
      AURA_INVENTORY_URL: `${ownerUrl}/stock/`,
      AURA_PAYMENTS_URL: away,
      AURA_FORWARD_TIMEOUT_MS: String(TIMEOUT_MS),
    },
  });
});
afterAll(async () => {
  await service?.stop();
  owner.closeAllConnections();
  owner.close();
  for (const database of databases ?? []) await database.drop();
});
beforeEach(() => {
  heard = [];
  answer = (response) => json(response, 200, {});
});

describe('a request that another service owns', () => {
  it('is passed on with method, body, key and request id, and answered as the service answers', async () => {
    answer = (response) =>
      json(response, 202, { id: '1' }, { Location: '/purchases/1', 'Retry-After': '1', 'Set-Cookie': 'a=b' });
    const sent = { items: [{ sku: 'A', size: 'Größe', quantity: 1 }] };
    const response = await ask('POST', '/purchases', sent, {
      'Idempotency-Key': 'key-1',
      'X-Request-Id': 'request-1',
      Cookie: 'c=d',
      Authorization: 'Bearer secret',
    });
    expect([response.status, await response.json()]).toEqual([202, { id: '1' }]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      location: '/purchases/1',
      'retry-after': '1',
      'content-type': 'application/json',
      'x-request-id': 'request-1',
    });
    expect(response.headers.get('set-cookie')).toBeNull();
    const [{ method, url, headers, body } = {} as Heard] = heard;
    expect([method, url, JSON.parse(body)]).toEqual(['POST', '/purchases', sent]);
    expect(headers).toMatchObject({ 'idempotency-key': 'key-1', 'x-request-id': 'request-1' });
    expect([headers.cookie, headers.authorization]).toEqual([undefined, undefined]);
  });

  it('keeps path and query as they were written, under the path that its service has', async () => {
    await ask('GET', '/garments/A%2FB?colour=light%20blue&x=%26');
    await ask('DELETE', '/purchases/7');
    expect(heard.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /stock/garments/A%2FB?colour=light%20blue&x=%26',
      'DELETE /purchases/7',
    ]);
  });

  it('hands problem documents through byte by byte', async () => {
    const document = '{"type":"urn:aura:problem:purchase-refused",  "status":409,"branch":"stock"}';
    answer = (response) =>
      response.writeHead(409, { 'Content-Type': 'application/problem+json' }).end(document);
    const response = await ask('POST', '/purchases', {});
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      409,
      'application/problem+json',
      document,
    ]);
  });

  it('does not follow where its service points to', async () => {
    answer = (response) => response.writeHead(303, { Location: '/elsewhere' }).end();
    const response = await ask('GET', '/purchases/7');
    expect([response.status, response.headers.get('location')]).toEqual([303, '/elsewhere']);
    expect(heard).toHaveLength(1);
  });

  it('goes on in the trace of its client, and says which one that is', async () => {
    const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    const response = await ask('GET', '/garments', undefined, { traceparent: `00-${traceId}-${spanId}-01` });
    const passedOn = String(heard[0]?.headers['traceparent']);
    expect(passedOn).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    expect(passedOn).not.toContain(spanId);
    const answered = response.headers.get('traceresponse');
    expect(answered).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    expect(answered).not.toBe(passedOn); // the call to the owner is a span of its own
  });
});

describe('a request that can’t be passed on', () => {
  it.each([
    ['GET', '/slots?region=North', undefined],
    ['POST', '/returns', {}],
    ['GET', '/returns/7', undefined],
  ])('is a 503 that names the setting of its unknown service: %s %s', async (method, path, body) => {
    expect(await problem(method, path, body)).toMatchObject({
      status: 503,
      type: 'urn:aura:problem:service-not-configured',
      detail: expect.stringContaining('AURA_DELIVERY_URL') as string,
    });
  });

  it('is a 503 where nobody listens there', async () => {
    const away = { status: 503, type: 'urn:aura:problem:service-away', retryAfter: '2' };
    expect(await problem('POST', '/payment-methods', {})).toMatchObject(away);
  });

  it('is a 502 where the service breaks off', async () => {
    answer = (response) => response.destroy();
    const brokeOff = { status: 502, type: 'urn:aura:problem:service-broke-off', retryAfter: '2' };
    expect(await problem('POST', '/purchases', {})).toMatchObject(brokeOff);
  });

  it('is a 504 where the service takes too long', async () => {
    answer = () => undefined;
    expect(await problem('POST', '/purchases', {})).toMatchObject({
      status: 504,
      type: 'urn:aura:problem:timeout',
      detail: expect.stringContaining('Idempotency-Key') as string,
    });
  });

  it('is never half an answer: the connection is cut', async () => {
    let half: ServerResponse | undefined;
    answer = (response) => {
      half = response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '100' });
      response.write('{');
    };
    const response = await ask('GET', '/garments');
    half?.destroy();
    await expect(response.text()).rejects.toThrow();
  });

  it.each([
    { what: 'a body that is too large', status: 413, type: 'application/json', body: `"${'x'.repeat(2e5)}"` },
    { what: 'a body that is not JSON', status: 415, type: 'text/plain', body: 'one shirt' },
    { what: 'a body that is broken JSON', status: 400, type: 'application/json', body: '{"items":' },
  ])('is refused by the gateway, unasked: $what ($status)', async ({ status, type, body }) => {
    const headers = { 'content-type': type };
    const response = await fetch(`${service.url}/purchases`, { method: 'POST', body, headers });
    expect([response.status, response.headers.get('content-type')]).toEqual([
      status,
      'application/problem+json; charset=utf-8',
    ]);
    expect(heard).toEqual([]);
  });

  it('is refused where its route has no such method', async () => {
    expect(await problem('PUT', '/purchases/7', {})).toMatchObject({ status: 405 });
    expect(heard).toEqual([]);
  });
});

function ask(
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${service.url}${path}`, {
    method,
    redirect: 'manual',
    headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

async function problem(method: string, path: string, body?: object): Promise<object> {
  const response = await ask(method, path, body);
  const document = (await response.json()) as object;
  return { ...document, retryAfter: response.headers.get('retry-after') };
}

function json(response: ServerResponse, status: number, body: object, headers: object = {}): void {
  response
    .writeHead(status, { 'Content-Type': 'application/json', ...headers } as Record<string, string>)
    .end(JSON.stringify(body));
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
}
