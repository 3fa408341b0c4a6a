import { settled } from '@aura/testing';
import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ask, jsonBody, recordingLogger, type Answer } from '../../test/service.js';
import { operatorToken, shopDatabases, type ShopDatabases } from '../../test/shop-databases.js';
import { sagaShop } from '../../test/saga-shop.js';
import { startService, type RunningService } from '../start-service.js';

let databases: ShopDatabases;
let service: RunningService;
let sql: Client;
beforeAll(async () => {
  databases = await shopDatabases();
  sql = await databases.database.client();
  service = await startService({
    ...sagaShop,
    environment: databases.environment,
    logger: recordingLogger(),
  });
  await settled('ready', async () => (await ask(`${service.url}/health/ready`)).status === 200);
});
afterAll(async () => {
  await service?.stop();
  await databases?.drop();
});

const UNKNOWN_ID = '0193e6a5-0000-7000-8000-000000000000';
const bearer = async () => ({ authorization: `Bearer ${await operatorToken()}` });
const get = async (path: string): Promise<Answer> =>
  ask(`${service.url}/admin/v1/${path}`, { headers: await bearer() });
const post = async (path: string, body: object): Promise<Answer> => {
  const init = jsonBody(body);
  const headers = { ...(init.headers as Record<string, string>), ...(await bearer()) };
  return ask(`${service.url}/admin/v1/${path}`, { ...init, method: 'POST', headers });
};
const sagasOf = ({ json }: Answer) => json['sagas'] as { id: string; phase: string }[];
const buy = async (): Promise<string> => {
  const { json } = await ask(`${service.url}/purchases`, { method: 'POST', ...jsonBody({ size: 'M' }) });
  return json['id'] as string;
};

let id: string;
beforeEach(async () => {
  id = await buy();
});

describe('sagas', () => {
  it('are listed newest first, page by page, and narrowed', async () => {
    const older = id;
    const newer = await buy();
    const first = await get('sagas?limit=1');
    expect([sagasOf(first).map((each) => each.id), first.json['next']]).toEqual([[newer], newer]);
    const second = await get(`sagas?limit=1&before=${newer}&type=buy-shoes&phase=PREPARING`);
    expect(sagasOf(second).map((each) => each.id)).toEqual([older]);
    expect(sagasOf(await get('sagas?attention=true'))).toEqual([]);
    expect(sagasOf(await get('sagas?startedBefore=2026-01-01T00:00:00Z'))).toEqual([]);
    expect((await get('sagas?phase=DONE')).json.errors).toMatchObject([{ path: 'phase' }]);
  });

  it('are shown with branches, log, and what is possible', async () => {
    const { json } = await get(`sagas/${id}`);
    expect(json).toMatchObject({
      saga: { id, type: 'buy-shoes', phase: 'PREPARING', branches: [{ name: 'stock', state: 'ASKED' }] },
      possible: ['abort', 'force-cancel'],
      log: [{ revision: 1, facts: [{ fact: 'asked', branch: 'stock' }] }],
    });
    expect((await get(`sagas/${UNKNOWN_ID}`)).status).toBe(404);
    expect((await post(`sagas/${UNKNOWN_ID}/abort`, { reason: 'why not' })).status).toBe(404);
  });

  it('O1, O2: an action is a fact with name and reason; a dry run shows what would be', async () => {
    const dry = await post(`sagas/${id}/abort`, { reason: 'the buyer called', dryRun: true });
    expect(dry.json['saga']).toMatchObject({ phase: 'ABORTING' });
    expect((await get(`sagas/${id}`)).json['saga']).toMatchObject({ phase: 'PREPARING' });
    const done = await post(`sagas/${id}/abort`, { reason: 'the buyer called' });
    expect(done.json['saga']).toMatchObject({ phase: 'ABORTING', why: { code: 'operator' } });
    const [, step] = (await get(`sagas/${id}`)).json['log'] as { facts: unknown[] }[];
    expect(step?.facts).toEqual([
      { fact: 'operator', action: 'abort', by: 'anna', reason: 'the buyer called' },
      { fact: 'aborted', why: { code: 'operator', text: 'the buyer called' } },
    ]);
    const noted = await sql.query(
      `select what, by, reason from aura.operation where subject ->> 'saga' = $1`,
      [id],
    );
    expect(noted.rows).toEqual([{ what: 'sagas abort', by: 'anna', reason: 'the buyer called' }]);
  });

  it('what is not possible is a 409 that offers what is', async () => {
    const forced = await post(`sagas/${id}/force-commit`, { reason: 'they all said yes' });
    expect([forced.status, forced.json.detail]).toEqual([
      409,
      expect.stringMatching(
        /not every branch is prepared \(stock is ASKED\). Possible is: abort, force-cancel/,
      ),
    ]);
    await post(`sagas/${id}/force-cancel`, { reason: 'the buyer called' });
    const resolved = await post(`sagas/${id}/resolve`, {
      branch: 'stock',
      outcome: 'committed',
      reason: 'why',
    });
    expect(resolved.json.detail).toMatch(/can't be resolved as committed. Possible is: retry, resolve/);
    const other = await post(`sagas/${id}/resolve`, {
      branch: 'stock',
      outcome: 'cancelled',
      reason: 'gone',
    });
    expect(other.json['saga']).toMatchObject({ phase: 'ABORTED' });
    const retried = await post(`sagas/${id}/retry`, { reason: 'once more' });
    expect(retried.json.detail).toMatch(/it has ended: ABORTED. Nothing is to be done/);
  });

  it('one in attention is a finding with the command that helps', async () => {
    await post(`sagas/${id}/abort`, { reason: 'the buyer called' });
    const silent = { code: 'silent', text: 'stock (stock) did not answer for 120 s' };
    await sql.query(
      `update aura.saga set attention = 'silent', state = state || jsonb_build_object('attention', $2::jsonb)
        where id = $1`,
      [id, JSON.stringify(silent)],
    );
    expect((await get('doctor')).json['findings']).toContainEqual({
      code: 'saga-attention',
      severity: 'warning',
      subject: `saga ${id}`,
      words: expect.stringMatching(/buy-shoes v1, started .* is ABORTING: stock \(stock\) did not/) as string,
      command: `sagas retry ${id} --reason "…"`,
    });
    const retried = await post(`sagas/${id}/retry`, { reason: 'stock is back' });
    expect(retried.status).toBe(200);
    const said = await sql.query(
      `select count(*)::int as n from aura.outbox where type = 'aura.DecisionRepeated' and key = $1`,
      [id],
    );
    expect(said.rows).toEqual([{ n: 1 }]);
  });
});
