import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { kindOf } from '@aura/platform';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfluentRegistry, SchemaRefusedError, type AvroSchema } from '../src/index.js';

const schema: AvroSchema = {
  type: 'record',
  name: 'R',
  namespace: 'n',
  fields: [{ name: 'id', type: 'string' }],
};
const LATEST = { id: 5, version: 1, subject: 's', schema: JSON.stringify(schema) };
const UNKNOWN = [404, { error_code: 40401, message: 'not found' }] as const;
type Answer = readonly [status: number, body: object];

/** What the running registries can't be brought to do on demand: races, faults, silence. */
describe('ConfluentRegistry', () => {
  let server: Server | undefined;
  const asked: string[] = [];
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    asked.length = 0;
  });

  /** A registry whose answers are given by `METHOD /path`: the first of each list, the last one for ever. */
  async function answering(
    answers: Record<string, Answer[]>,
    timeoutMs?: number,
  ): Promise<ConfluentRegistry> {
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      const what = `${request.method} ${request.url}`;
      asked.push(what);
      const left = answers[what] ?? [];
      const answer = left.length > 1 ? left.shift() : left[0];
      if (!answer) return; // silence
      response.writeHead(answer[0], { 'content-type': 'application/json' }).end(JSON.stringify(answer[1]));
    };
    const made = createServer(listener);
    server = made;
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
    return new ConfluentRegistry({ url, ...(timeoutMs ? { timeoutMs } : {}) });
  }

  it('sets the level before the first schema', async () => {
    const registry = await answering({
      'GET /config/s': [UNKNOWN, [200, { compatibilityLevel: 'FULL_TRANSITIVE' }]],
      'PUT /config/s': [[200, {}]],
      'POST /subjects/s/versions': [[200, { id: 5 }]],
    });
    expect(await registry.register('s', schema)).toBe(5);
    expect(asked.indexOf('PUT /config/s')).toBeLessThan(asked.indexOf('POST /subjects/s/versions'));
    expect(asked).toContain('PUT /config/s');
  });

  it('refuses a subject of another level, and says what to do', async () => {
    const registry = await answering({ 'GET /config/s': [[200, { compatibilityLevel: 'BACKWARD' }]] });
    await expect(registry.register('s', schema)).rejects.toThrow(SchemaRefusedError);
    await expect(registry.register('s', schema)).rejects.toThrow('its compatibility level is BACKWARD');
  });

  it('takes a 409 without a reason for a race, and tries again', async () => {
    const registry = await answering({
      'GET /config/s': [[200, { compatibilityLevel: 'FULL_TRANSITIVE' }]],
      'POST /subjects/s/versions': [
        [409, { error_code: 409, message: 'already exists' }],
        [200, { id: 5 }],
      ],
      'GET /subjects/s/versions/latest': [[200, LATEST]],
    });
    expect(await registry.register('s', schema)).toBe(5);
  });

  it('takes a 409 that stays for a refusal, in the words of the registry', async () => {
    const registry = await answering({
      'GET /config/s': [[200, { compatibilityLevel: 'FULL_TRANSITIVE' }]],
      'POST /subjects/s/versions': [[409, { error_code: 409, message: 'not on a Friday' }]],
      'GET /subjects/s/versions/latest': [[200, LATEST]],
    });
    await expect(registry.register('s', schema)).rejects.toThrow(SchemaRefusedError);
    await expect(registry.register('s', schema)).rejects.toThrow('not on a Friday');
  });

  it.each([
    [
      'an error of the server',
      { 'GET /schemas/ids/7': [[500, { error_code: 50001, message: 'x' }] as const] },
    ],
    ['silence', {}],
    ['a refused password', { 'GET /schemas/ids/7': [[401, { error_code: 401, message: 'x' }] as const] }],
  ])('%s is transient', async (_, answers) => {
    const registry = await answering(answers, 100);
    expect(kindOf(await registry.schemaById(7).catch((error: unknown) => error))).toBe('transient');
  });

  it('an invalid schema is terminal', async () => {
    const registry = await answering({
      'GET /config/s': [[200, { compatibilityLevel: 'FULL_TRANSITIVE' }]],
      'POST /subjects/s/versions': [[422, { error_code: 42201, message: 'Invalid schema' }]],
    });
    await expect(registry.register('s', schema)).rejects.toThrow(SchemaRefusedError);
  });

  it.each([
    ['an error of the server', { 'GET /config': [[500, { error_code: 50001, message: 'x' }] as const] }],
    ['silence', {}],
    ['a refused password', { 'GET /config': [[401, { error_code: 401, message: 'x' }] as const] }],
  ])('a ping tells of %s, as transient, and does not try again', async (_, answers) => {
    const registry = await answering(answers);
    expect(kindOf(await registry.ping(100).catch((error: unknown) => error))).toBe('transient');
    expect(asked).toEqual(['GET /config']);
  });
});
