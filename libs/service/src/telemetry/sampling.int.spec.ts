/** Who begins a trace decides whether it is recorded: through HTTP, outbox, log and handler. */
import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { TraceFlags } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, jsonBody } from '../../test/service.js';
import { shopDatabases, type ShopDatabases } from '../../test/shop-databases.js';
import { shop } from '../../test/shop.js';
import { startService, type RunningService } from '../start-service.js';
import { startTelemetry, stopTelemetry } from './sdk.js';

const { SAMPLED, NONE } = TraceFlags;
const HANDLED = 'aura.handle shop.OrderPlaced';
/** What the ratio 0.5 of this service would do with them, if they began here. */
const DROPPED = ['ffffffff000000000000000000000001', 'ffffffff000000000000000000000002'] as const;
const RECORDED = '00000000000000000000000000000003';

const exporter = new InMemorySpanExporter();
let databases: ShopDatabases;
let service: RunningService;

beforeAll(async () => {
  const spanProcessors = [new SimpleSpanProcessor({ exporter })];
  startTelemetry({ serviceName: 'shop', traceSampleRatio: 0.5, spanProcessors });
  databases = await shopDatabases();
  service = await startService({ ...shop, environment: databases.environment, logger: silentLogger });
  await settled('ready', async () => (await ask(`${service.url}/health/ready`)).status === 200);
});
afterAll(async () => {
  await service.stop();
  await stopTelemetry();
  await databases.drop();
});

/** Places an order in a caller's trace; gives the `traceparent` with which its event went on its way. */
async function order(traceId: string, flags: TraceFlags): Promise<string | undefined> {
  const { headers, ...init } = jsonBody({ order: 'o1', n: 1 });
  const traceparent = `00-${traceId}-b7ad6b7169203331-0${flags}`;
  const request = { ...init, method: 'POST', headers: { ...(headers as object), traceparent } };
  expect((await ask(`${service.url}/orders`, request)).status).toBe(202);
  const sql = await databases.database.client();
  const { rows } = await sql.query<{ carried: string }>(
    `select headers ->> 'traceparent' as carried from aura.outbox order by position desc limit 1`,
  );
  return rows[0]?.carried;
}

const spansOf = (traceId: string): string[] =>
  exporter
    .getFinishedSpans()
    .filter((span) => span.spanContext().traceId === traceId)
    .map(({ name }) => name);

const handled = (traceId: string): Promise<boolean> =>
  settled(`spans of ${traceId}`, () => spansOf(traceId).includes(HANDLED));

it('records all of a trace that was begun as recorded, and nothing of one that was not', async () => {
  expect(await order(DROPPED[0], SAMPLED)).toMatch(new RegExp(`^00-${DROPPED[0]}-.{16}-01$`));
  await handled(DROPPED[0]);
  expect(spansOf(DROPPED[0])).toContain('OrdersController.place');

  expect(await order(RECORDED, NONE)).toMatch(new RegExp(`^00-${RECORDED}-.{16}-00$`));
  await order(DROPPED[1], SAMPLED); // of the same key: handled after it
  await handled(DROPPED[1]);
  expect(spansOf(RECORDED)).toEqual([]);
});
