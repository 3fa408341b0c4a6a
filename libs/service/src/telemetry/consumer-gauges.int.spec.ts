/** What the alerts AuraPartitionStalled and AuraGroupPaused look at, as the metric reader collects it. */
import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, jsonBody } from '../../test/service.js';
import { operatorToken, shopDatabases, type ShopDatabases } from '../../test/shop-databases.js';
import { shop, TOPIC } from '../../test/shop.js';
import { startService, type RunningService } from '../start-service.js';
import { startTelemetry, stopTelemetry } from './sdk.js';

const PARTITIONS = 4;

let databases: ShopDatabases;
let log: Client;
let service: RunningService;
beforeAll(async () => {
  startTelemetry({ serviceName: 'shop' });
  databases = await shopDatabases();
  log = new Client({ connectionString: databases.environment['AURA_LOG_URL'] });
  await log.connect();
  service = await startService({ ...shop, environment: databases.environment, logger: silentLogger });
  await settled('ready', async () => (await ask(`${service.url}/health/ready`)).status === 200);
});
afterAll(async () => {
  await service.stop();
  await log.end();
  await stopTelemetry();
  await databases.drop();
});

/** Its value for the group of the shop. */
async function gauge(name: string): Promise<number | undefined> {
  const { text } = await ask(`${service.url}/metrics`);
  const line = text.split('\n').find((each) => each.startsWith(`${name}{`) && each.includes('group="shop"'));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')));
}

async function collected(stalled: number, paused: number): Promise<void> {
  let seen: unknown;
  await settled(`${stalled} stalled, paused ${paused}`, async () => {
    seen = [await gauge('aura_consumer_stalled'), await gauge('aura_consumer_paused')];
    return JSON.stringify(seen) === JSON.stringify([stalled, paused]);
  }).catch(() => expect(seen).toEqual([stalled, paused]));
}

async function operate(path: string, body: object): Promise<void> {
  const init = jsonBody({ reason: 'a drill', ...body });
  const authorization = `Bearer ${await operatorToken()}`;
  const headers = { ...(init.headers as Record<string, string>), authorization };
  const answer = await ask(`${service.url}/admin/v1/${path}`, { ...init, method: 'POST', headers });
  expect(answer.status).toBe(200);
}

async function place(n: number): Promise<void> {
  const order = { method: 'POST', ...jsonBody({ order: 'o1', n }) };
  expect((await ask(`${service.url}/orders`, order)).status).toBe(202);
}

/** Partitions 0 and 1 had five records, all of them past retention: the group stands before them. */
const retentionPassed = () =>
  log.query('update aura_log.partition set first = 5, next = 5 where topic = $1 and partition < 2', [TOPIC]);

it('collects how many partitions stand still and whether the group is paused, until none is', async () => {
  await place(1);
  const sql = await databases.database.client();
  await settled('read', async () => (await sql.query('select from placed')).rowCount === 1);
  await collected(0, 0);
  await retentionPassed();
  await place(2); // the reader wakes up and looks
  await collected(2, 0);
  await operate('group/move', { topic: TOPIC, to: 'first' });
  await collected(0, 0);
  await operate('group/pause', {});
  await collected(PARTITIONS, 1); // what is paused stands still, too
  await operate('group/resume', {});
  await collected(0, 0);
});
