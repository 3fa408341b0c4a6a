import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, recordingLogger } from '../../test/service.js';
import { shopDatabases, type ShopDatabases } from '../../test/shop-databases.js';
import { sagaShop } from '../../test/saga-shop.js';
import { startService, type RunningService } from '../start-service.js';

let databases: ShopDatabases;
let service: RunningService;
beforeAll(async () => {
  databases = await shopDatabases();
  const nowhere = '127.0.0.1:2';
  service = await startService({
    ...sagaShop,
    environment: {
      ...databases.environment,
      AURA_LOG_KIND: 'kafka',
      AURA_BROKERS: nowhere,
      AURA_REGISTRY_URL: `http://${nowhere}`,
    },
    logger: recordingLogger(),
  });
});
afterAll(async () => {
  await service?.stop();
  await databases?.drop();
});

it('readiness names broker and registry where they are away; the service is there all the same', async () => {
  const { status, json } = await ask(`${service.url}/health/ready`);
  expect(status).toBe(503);
  expect(json['checks']).toMatchObject({
    database: { status: 'up' },
    log: { status: 'down' },
    registry: { status: 'down', detail: 'the schema registry did not answer within 1500 ms' },
    sagas: { status: 'down', detail: expect.stringMatching(/^nothing is decided: /) as string },
  });
  expect(json.detail).toMatch(/log \(.+\); registry \(the schema registry did not answer/);
  const order = {
    method: 'POST',
    body: '{"order":"a","n":1}',
    headers: { 'content-type': 'application/json' },
  };
  expect((await ask(`${service.url}/orders`, order)).status).toBe(202);
});
