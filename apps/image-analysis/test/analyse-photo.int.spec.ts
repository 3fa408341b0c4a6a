import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UnitsOfWork } from '@aura/eventing';
import { silentLogger } from '@aura/platform';
import { startService, type RunningService } from '@aura/service';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Client } from 'pg';
import { ANALYSE_PHOTO } from '../src/analyse-photo.task.js';
import { imageAnalysis } from '../src/image-analysis.js';

const PHOTO = '11111111-1111-4111-8111-111111111111';

/** Stands for the gateway: what it answers is up to each test. */
let answer: () => { status: number; body?: Buffer };
const asked: (string | undefined)[] = [];
let gateway: Server;
let databases: TestDatabase[];
let service: RunningService;
let db: Client;

beforeAll(async () => {
  gateway = createServer((request, response) => {
    asked.push(request.headers.authorization);
    const { status, body } = answer();
    response.writeHead(status).end(body);
  });
  await new Promise<void>((up) => gateway.listen(0, '127.0.0.1', up));
  databases = [await testDatabase('image'), await testDatabase('log')];
  const [own, log] = databases;
  service = await startService({
    ...imageAnalysis,
    logger: silentLogger,
    port: 0,
    environment: {
      AURA_DATABASE_URL: own?.url,
      AURA_LOG_URL: log?.url,
      AURA_CREATE_TOPICS: 'true',
      AURA_GATEWAY_URL: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`,
      AURA_SERVICE_TOKEN_SECRET: 'only for this test, but long enough',
    },
  });
  db = (await own?.client()) as Client;
});
afterAll(async () => {
  await service.stop();
  gateway.close();
  for (const database of databases) await database.drop();
});
beforeEach(async () => {
  asked.length = 0;
  await db.query('truncate garment_analysis, aura.outbox, aura.task');
});

const schedule = (): Promise<unknown> =>
  service.app.get(UnitsOfWork).run(async (work) =>
    work.schedule({
      kind: ANALYSE_PHOTO,
      key: PHOTO,
      payload: { photoId: PHOTO, contentHash: 'a'.repeat(64) },
    }),
  );

async function raised(): Promise<string> {
  const { rows } = await settled('an event', async () => {
    const found = await db.query<{ type: string }>('select type from aura.outbox');
    return found.rows.length > 0 && found;
  });
  return rows.map((row) => row.type).join();
}

const count = async (table: string): Promise<number> =>
  (await db.query<{ n: number }>(`select count(*)::int as n from ${table}`)).rows[0]?.n ?? -1;

it('a photo is fetched with a service token, analysed, and its row and event are one end', async () => {
  const body = await readFile(new URL('../../../photos/d04-blue-denim-shirt.jpg', import.meta.url));
  answer = () => ({ status: 200, body });
  await schedule();
  expect(await raised()).toBe('image_analysis.PhotoAnalysed');
  expect([await count('garment_analysis'), await count('aura.task')]).toEqual([1, 0]);
  expect(asked).toEqual([expect.stringMatching(/^Bearer /)]);
  const { rows } = await db.query('select result from garment_analysis');
  expect(rows[0].result).toMatchObject({ garment: { present: true } });
});

it('a gateway that is away for a moment is asked again', async () => {
  const body = await readFile(new URL('../../../photos/d05-orange-top-denim-shorts.jpg', import.meta.url));
  answer = () => (asked.length < 2 ? { status: 503 } : { status: 200, body });
  await schedule();
  expect(await raised()).toBe('image_analysis.PhotoAnalysed');
  expect(asked.length).toBe(2);
});

it('a photo that the gateway does not have fails at once, and says so', async () => {
  answer = () => ({ status: 404 });
  await schedule();
  expect(await raised()).toBe('image_analysis.PhotoAnalysisFailed');
  expect([asked.length, await count('garment_analysis'), await count('aura.task')]).toEqual([1, 0, 0]);
});

it('bytes that are no picture fail at once', async () => {
  answer = () => ({ status: 200, body: Buffer.from('not a picture') });
  await schedule();
  expect(await raised()).toBe('image_analysis.PhotoAnalysisFailed');
  expect(asked.length).toBe(1);
});
