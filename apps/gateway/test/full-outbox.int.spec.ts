import { silentLogger } from '@aura/platform';
import { startService, type RunningService } from '@aura/service';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { gateway } from '../src/gateway.js';
import { jpeg } from './pictures.js';

let own: TestDatabase;
let log: TestDatabase;
const services: RunningService[] = [];

async function replica(environment: Record<string, string>): Promise<RunningService> {
  const service = await startService({
    ...gateway,
    logger: silentLogger,
    port: 0,
    environment: {
      AURA_DATABASE_URL: own.url,
      AURA_LOG_URL: log.url,
      AURA_SERVICE_TOKEN_SECRET: 'only for this test, but long enough',
      AURA_OUTBOX_BUDGET_BYTES: '1',
      ...environment,
    },
  });
  services.push(service);
  return service;
}

let url: string;
beforeAll(async () => {
  [own, log] = [await testDatabase('gateway'), await testDatabase('log')];
  ({ url } = await replica({ AURA_CREATE_TOPICS: 'false' })); // so nothing can be published
});
afterAll(async () => {
  for (const service of services) await service.stop();
  await own.drop();
  await log.drop();
});

async function post(): Promise<Response> {
  const body = new FormData();
  body.set('photo', new Blob([Uint8Array.from(await jpeg())], { type: 'image/jpeg' }), 'me.jpg');
  return fetch(`${url}/photos`, { method: 'POST', body });
}

it('E9: takes no photo while too much waits to be published, says so, and opens by itself', async () => {
  let accepted = 0;
  const refused = await settled('a photo is refused', async () => {
    const answer = await post();
    if (answer.status === 202) accepted++;
    return answer.status === 202 ? undefined : answer;
  });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2']);
  expect(await refused.json()).toMatchObject({
    type: 'urn:aura:problem:temporarily-unavailable',
    detail: 'This is not possible at the moment: try again in a few seconds.',
  });
  const db = await own.client();
  const { rows } = await db.query(
    'select (select count(*)::int from photo) as photos, (select count(*)::int from aura.outbox) as events',
  );
  expect(rows).toEqual([{ photos: accepted, events: accepted }]);

  await replica({ AURA_CREATE_TOPICS: 'true' });
  await settled('a photo is taken again', async () => (await post()).status === 202);
});
