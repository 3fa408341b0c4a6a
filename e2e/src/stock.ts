import type { EventEnvelope } from '@aura/contracts';
import { Handlers, type Task, type TaskHandler, type Work } from '@aura/eventing';
import { isPacked, OrderPlaced, ParcelPacked, StockTaken, type OfOrder } from './events.js';
import { openService, pause, type Service } from './service.js';
import type { ServiceSettings } from './settings.js';

/** The slow part of packing (ms): long enough to be killed in. */
const PACKING_MS = 30;

/** Takes stock for every order, answers, and packs some of them later. */
export async function startStock(settings: ServiceSettings): Promise<Service> {
  const service = await openStock(settings);
  await service.eventing.consume(
    new Handlers([
      {
        type: OrderPlaced,
        name: 'stock.placed',
        mode: 'each',
        handle: (event, work) => take(orderOf(event), work),
      },
    ]),
  );
  return service;
}

/** Everything but its consumer. */
export async function openStock(settings: ServiceSettings): Promise<Service> {
  const service = await openService(settings, {
    name: 'stock',
    publishes: [StockTaken, ParcelPacked],
    subscribes: [OrderPlaced],
  });
  await service.eventing.run([packing]);
  return service;
}

export async function take({ id, key, n }: OfOrder, work: Work): Promise<void> {
  await work.manager.query(
    `with moved as (
       insert into last_effect (key, n) values ($1::text, $2::int)
         on conflict (key) do update set n = excluded.n returning old.n as after)
     insert into effect (id, key, n, after) select $3::uuid, $1::text, $2::int, after from moved`,
    [key, n, id],
  );
  work.raise(StockTaken.of({ id, key, n }));
  if (isPacked({ n })) work.schedule({ kind: packing.kind, key, payload: { id, key, n } });
}

const orderOf = (event: EventEnvelope): OfOrder => event.payload as OfOrder;

const packing: TaskHandler<OfOrder> = {
  kind: 'pack',
  async run({ payload: { id, key, n } }: Task<OfOrder>) {
    await pause(PACKING_MS);
    return async (work) => {
      await work.manager.query('insert into packed (id, key, n) values ($1, $2, $3)', [id, key, n]);
      work.raise(ParcelPacked.of({ id, key, n }));
    };
  },
};
