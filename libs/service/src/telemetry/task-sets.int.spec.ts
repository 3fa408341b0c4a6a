/** Tasks that end together: what each raises stays in the trace that scheduled it. */
import { Tasks, UnitsOfWork, type EndedTask, type SetTaskHandler, type Task } from '@aura/eventing';
import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { Body, Controller, HttpCode, Injectable, Module, Post } from '@nestjs/common';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, jsonBody } from '../../test/service.js';
import { shopDatabases, type ShopDatabases } from '../../test/shop-databases.js';
import { OrderPlaced, shop } from '../../test/shop.js';
import { databaseModule, eventsModule } from '../index.js';
import { startService, type RunningService } from '../start-service.js';
import { startTelemetry, stopTelemetry } from './sdk.js';

interface Parcel {
  readonly order: string;
}
const PARCELS = 3;
const sizes: number[] = [];
const all = Promise.withResolvers<void>();
let ready = 0;

@Controller('parcels')
class ParcelsController {
  constructor(private readonly units: UnitsOfWork) {}

  @Post()
  @HttpCode(202)
  async send(@Body() parcel: Parcel): Promise<void> {
    await this.units.run(async (work) => work.schedule({ kind: 'send', key: parcel.order, payload: parcel }));
  }
}

@Tasks()
@Injectable()
class SendParcels implements SetTaskHandler<Parcel, string> {
  readonly kind = 'send';
  readonly concurrency = PARCELS;

  async run({ payload }: Task<Parcel>): Promise<string> {
    if (++ready === PARCELS) all.resolve();
    await all.promise;
    return payload.order;
  }

  async endAll(ended: readonly EndedTask<Parcel, string>[]): Promise<void> {
    sizes.push(ended.length);
    for (const { result, work } of ended) work.raise(OrderPlaced.of({ order: result, n: 1 }));
  }
}

@Module({
  imports: [
    databaseModule({ entities: [], migrations: [] }),
    eventsModule({ publishes: [OrderPlaced], subscribes: [] }),
  ],
  controllers: [ParcelsController],
  providers: [SendParcels],
})
class ParcelsModule {}

let databases: ShopDatabases;
let service: RunningService;
beforeAll(async () => {
  const spanProcessors = [new SimpleSpanProcessor({ exporter: new InMemorySpanExporter() })];
  startTelemetry({ serviceName: 'shop', spanProcessors });
  databases = await shopDatabases();
  const { environment } = databases;
  service = await startService({ ...shop, module: () => ParcelsModule, environment, logger: silentLogger });
  await settled('ready', async () => (await ask(`${service.url}/health/ready`)).status === 200);
});
afterAll(async () => {
  await service.stop();
  await stopTelemetry();
  await databases.drop();
});

/** A parcel in a trace of its own, named after it. */
const send = async (trace: string): Promise<void> => {
  const { headers, ...body } = jsonBody({ order: trace });
  const traceparent = `00-${trace}-b7ad6b7169203331-01`;
  await ask(`${service.url}/parcels`, {
    ...body,
    method: 'POST',
    headers: { ...(headers as object), traceparent },
  });
};

it('T5: an event of a set goes on in the trace of its own task', async () => {
  const traces = Array.from({ length: PARCELS }, (_, n) => `0af7651916cd43dd8448eb211c80319${n}`);
  for (const trace of traces) await send(trace);
  const sql = await databases.database.client();
  const raised = async (): Promise<{ key: string; carried: string }[]> =>
    (await sql.query(`select key, headers ->> 'traceparent' as carried from aura.outbox order by key`)).rows;
  await settled('all are sent', async () => (await raised()).length === PARCELS);
  expect(sizes).toEqual([PARCELS]);
  expect((await raised()).map(({ carried }) => carried.slice(3, 35))).toEqual(traces);
});
