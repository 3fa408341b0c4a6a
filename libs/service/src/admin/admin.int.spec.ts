import { settled } from '@aura/testing';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, jsonBody, recordingLogger, startTestService, type Answer } from '../../test/service.js';
import { operatorToken, shopDatabases, type ShopDatabases } from '../../test/shop-databases.js';
import { shop, TOPIC } from '../../test/shop.js';
import { startService, type RunningService } from '../start-service.js';

let databases: ShopDatabases;
let service: RunningService;
let sql: Client;
const logger = recordingLogger();
beforeAll(async () => {
  databases = await shopDatabases();
  sql = await databases.database.client();
  service = await startService({ ...shop, environment: databases.environment, logger });
  await settled('ready', async () => (await ask(`${service.url}/health/ready`)).status === 200);
});
afterAll(async () => {
  await service?.stop();
  await databases?.drop();
});

const bearer = async (token = operatorToken()) => ({ authorization: `Bearer ${await token}` });
const get = async (path: string): Promise<Answer> =>
  ask(`${service.url}/admin/v1/${path}`, { headers: await bearer() });
const post = async (path: string, body: object): Promise<Answer> => {
  const init = jsonBody(body);
  return ask(`${service.url}/admin/v1/${path}`, {
    ...init,
    method: 'POST',
    headers: { ...(init.headers as Record<string, string>), ...(await bearer()) },
  });
};
const rows = async <R>(text: string, values: unknown[] = []): Promise<R[]> =>
  (await sql.query(text, values)).rows as R[];

let orders = 0;
/** Orders of one key that its handler refuses; resolves when the first is parked. */
async function refusedOrders(count: number): Promise<string> {
  const key = `order-${++orders}`;
  await sql.query('insert into broken values ($1)', [key]);
  for (let n = 1; n <= count; n++) await place(key, n);
  await settled('parked', async () => (await lettersOf(key)).length === count);
  return key;
}

async function place(order: string, n: number): Promise<void> {
  const answer = await ask(`${service.url}/orders`, { method: 'POST', ...jsonBody({ order, n }) });
  expect(answer.status).toBe(202);
}

const lettersOf = async (key: string): Promise<Record<string, unknown>[]> =>
  (await get(`dead-letters/letters?topic=${TOPIC}&key=${key}`)).json['letters'] as Record<string, unknown>[];
const placed = (key: string) =>
  rows<{ n: number }>('select n from placed where key = $1 order by id', [key]).then((all) =>
    all.map(({ n }) => n),
  );

describe('who may use the admin API', () => {
  it.each([
    ['nobody', () => undefined, 401, 'This is for operators'],
    ['a service', () => operatorToken({ issuer: 'gateway' }), 401, "not an operator's"],
    ['an operator without a name', () => operatorToken({ issuer: 'operator:' }), 401, "not an operator's"],
    ['an operator of another service', () => operatorToken({ audience: 'stock' }), 401, 'another service'],
    ['another key', () => operatorToken({ secret: 'o'.repeat(32) }), 401, 'another key'],
  ])('%s is refused', async (_, token, status, detail) => {
    const given = await token();
    const headers = given === undefined ? {} : { authorization: `Bearer ${given}` };
    for (const [method, path] of [
      ['GET', 'dead-letters'],
      ['GET', 'group'],
      ['GET', 'relay'],
      ['GET', 'replays'],
      ['GET', 'sagas'],
      ['GET', 'doctor'],
      ['POST', 'topics/apply'],
    ]) {
      const answer = await ask(`${service.url}/admin/v1/${path}`, { method: method as string, headers });
      expect([answer.status, answer.json.detail]).toEqual([status, expect.stringContaining(detail)]);
    }
  });

  it('an operator is no service', async () => {
    const { ServiceTokens } = await import('../auth/service-tokens.js');
    const tokens = service.app.get(ServiceTokens);
    await expect(tokens.callerOf(await operatorToken())).rejects.toThrow('this is for services');
    expect(await tokens.operatorOf(await operatorToken())).toBe('anna');
  });

  it('says who it is to anybody, and nothing else', async () => {
    expect((await ask(`${service.url}/admin/v1`)).json).toEqual({ service: 'shop' });
  });

  it('is not in the OpenAPI document', async () => {
    expect((await ask(`${service.url}/openapi.json`)).text).not.toContain('admin');
  });

  it('without a key, or switched off, it is a 403 that says how to switch it on', async () => {
    const { OperatorGuard } = await import('./operator.guard.js');
    const { Controller, Get, Module, UseGuards } = await import('@nestjs/common');
    @Controller('admin/v1/x')
    @UseGuards(OperatorGuard)
    class XController {
      @Get()
      x(): void {}
    }
    @Module({ controllers: [XController] })
    class XModule {}
    const key = { AURA_SERVICE_TOKEN_SECRET: 'k'.repeat(32) };
    for (const [environment, words] of [
      [{}, 'set AURA_SERVICE_TOKEN_SECRET'],
      [{ ...key, AURA_ADMIN: 'false' }, 'AURA_ADMIN is false'],
    ] as const) {
      const other = await startTestService(XModule, environment);
      const answer = await ask(`${other.url}/admin/v1/x`, { headers: await bearer() });
      expect([answer.status, answer.json.detail]).toEqual([403, expect.stringContaining(words)]);
      await other.stop();
    }
  });
});

describe('what is sent to it', () => {
  it.each([
    ['a change without a reason', 'group/pause', {}, 'reason'],
    ['a reason of two letters', 'group/pause', { reason: 'no' }, 'reason'],
    ['an endless reason', 'group/pause', { reason: 'x'.repeat(501) }, 'reason'],
    ['a name that nothing has', 'dead-letters/redrive', { reason: 'why', kye: 'a' }, ''],
    ['two targets', 'group/move', { reason: 'why', topic: TOPIC, to: 'end', offset: '3' }, ''],
    ['an offset that is a number', 'group/move', { reason: 'why', topic: TOPIC, offset: 3 }, 'offset'],
    [
      'an offset beyond 64 bits',
      'group/move',
      { reason: 'why', topic: TOPIC, offset: `${2n ** 63n}` },
      'offset',
    ],
  ])('%s is a 400 that names it', async (_, path, body, named) => {
    const answer = await post(path, body);
    expect([answer.status, answer.json.type]).toEqual([400, 'urn:aura:problem:invalid']);
    expect(answer.json.errors?.map((error) => error.path)).toContain(named);
  });

  it('a list has a bound', async () => {
    expect((await get('dead-letters?limit=1001')).json.errors).toEqual([
      { path: 'limit', message: 'must be at most 1000' },
    ]);
  });
});

describe('dead letters', () => {
  it('are listed by key and shown in order, with error and stack, 64 bits as text', async () => {
    const key = await refusedOrders(3);
    const { json } = await get(`dead-letters?key=${key}`);
    expect(json['keys']).toEqual([
      expect.objectContaining({ topic: TOPIC, key, state: 'dead', type: 'shop.OrderPlaced', waiting: 2 }),
    ]);
    const letters = await lettersOf(key);
    expect(letters.map(({ offset }) => typeof offset)).toEqual(['string', 'string', 'string']);
    expect(letters[0]?.['error']).toMatchObject({
      name: 'TerminalError',
      message: `order ${key} is refused: mend the shelf`,
      stack: expect.stringContaining('OrderHandler') as string,
    });
  });

  it('O2: a dry redrive changes nothing; one after the fix applies all, in order', async () => {
    const key = await refusedOrders(3);
    const dry = await post('dead-letters/redrive', { key, reason: 'shelf mended', dryRun: true });
    expect(dry.json).toMatchObject({ keys: 1, letters: 3 });
    expect(await lettersOf(key)).toHaveLength(3);
    await sql.query('delete from broken where key = $1', [key]);
    const redriven = await post('dead-letters/redrive', { key, reason: 'shelf mended' });
    expect(redriven.json).toMatchObject({ keys: 1, letters: 3 });
    await settled('applied', async () => (await placed(key)).length === 3);
    expect(await placed(key)).toEqual([1, 2, 3]);
    expect(await rows(`select reason, by from aura.operation where what like '%redrive%'`)).toEqual([
      { reason: 'shelf mended', by: 'anna' },
    ]);
  });

  it('a discarded event is gone, what waits behind it goes on', async () => {
    const key = await refusedOrders(2);
    const [head] = await lettersOf(key);
    await sql.query('delete from broken where key = $1', [key]);
    const answer = await post('dead-letters/discard', {
      topic: TOPIC,
      key,
      eventId: head?.['eventId'],
      reason: 'a test order',
    });
    expect(answer.json).toMatchObject({ letters: 1 });
    await settled('applied', async () => (await placed(key)).length === 1);
    expect(await placed(key)).toEqual([2]);
    const again = { topic: TOPIC, key, eventId: head?.['eventId'], reason: 'a test order' };
    expect((await post('dead-letters/discard', again)).status).toBe(422);
  });

  it('a change is in the log, with ids and the reason and without a payload', () => {
    const lines = logger.lines.filter(({ message }) => message.startsWith('an operator'));
    expect(lines.find(({ fields }) => fields['operation'] === 'dead-letters/discard')).toMatchObject({
      level: 'info',
      fields: { by: 'anna', asked: { topic: TOPIC, reason: 'a test order' } },
    });
    expect(lines.find(({ level }) => level === 'warn')?.message).toContain('was refused');
  });
});

describe('the doctor', () => {
  it('names a dead letter with the command that tries it again', async () => {
    const key = await refusedOrders(1);
    const { json } = await get('doctor');
    expect(json['findings']).toContainEqual({
      code: 'dead-letter',
      severity: 'warning',
      subject: `${TOPIC} ${key}`,
      words: expect.stringContaining('mend the shelf') as string,
      command: `dead-letters redrive --topic ${TOPIC} --key ${key} --reason "…"`,
    });
  });
});

describe('the topic', () => {
  it('is left as it is, and what differs is said', async () => {
    const { json } = await post('topics/apply', { partitions: 12, replicationFactor: 3, reason: 'rollout' });
    expect(json['topics']).toEqual([
      { name: TOPIC, action: 'differs', words: expect.stringContaining('4 partitions, not 12') as string },
    ]);
  });
});
