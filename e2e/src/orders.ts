import { randomUUID } from 'node:crypto';
import type { EventEnvelope } from '@aura/contracts';
import { Handlers, type EachHandler, type UnitsOfWork, type Work } from '@aura/eventing';
import { OrderPlaced, ParcelPacked, StockTaken, type OfOrder } from './events.js';
import { openService, pause, type Service } from './service.js';
import type { ServiceSettings } from './settings.js';

const WRITERS = 8;
const KEYS = Array.from({ length: 12 }, (_, i) => `key-${i}`);
/** Between two orders of one writer (ms): a load that a busy machine still carries. */
const PAUSE_MS = 15;

export interface Orders extends Service {
  stopLoad(): Promise<void>;
}

/**
 * Places orders without end, and applies the answers. `onCommitted` is told each order whose COMMIT was
 * acknowledged.
 */
export async function startOrders(
  settings: ServiceSettings,
  onCommitted: (id: string) => void,
): Promise<Orders> {
  const service = await openService(settings, {
    name: 'orders',
    publishes: [OrderPlaced],
    subscribes: [StockTaken, ParcelPacked],
  });
  const { eventing, logger } = service;
  await eventing.run([]);
  await eventing.consume(new Handlers([answerHandler('taken'), answerHandler('packed')]));
  const stopping = new AbortController();
  const write = async (stride: number): Promise<void> => {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const key = KEYS[(turn * stride) % KEYS.length] as string;
      try {
        onCommitted(await place(eventing.units, key, turn % 10 === stride));
      } catch (error) {
        if (!(error instanceof ChangedMind)) logger.warn({ err: error }, 'an order was not placed');
      }
      await pause(PAUSE_MS);
    }
  };
  const writers = Promise.all(Array.from({ length: WRITERS }, (_, i) => write(i + 1)));
  const stopLoad = async (): Promise<void> => {
    stopping.abort();
    await writers;
  };
  return { ...service, stopLoad, close: () => stopLoad().then(() => service.close()) };
}

/** Thrown after everything was written and raised: none of it may be seen. */
class ChangedMind extends Error {}

function place(units: UnitsOfWork, key: string, changesMind: boolean): Promise<string> {
  return units.run(async (work) => {
    const id = randomUUID();
    const [{ n }] = await work.manager.query<[{ n: number }]>(
      `insert into counter (key, n) values ($1, 1)
         on conflict (key) do update set n = counter.n + 1 returning n`,
      [key],
    );
    await work.manager.query('insert into cause (id, key, n) values ($1, $2, $3)', [id, key, n]);
    work.raise(OrderPlaced.of({ id, key, n }));
    if (changesMind) throw new ChangedMind();
    return id;
  });
}

function answerHandler(kind: 'taken' | 'packed'): EachHandler {
  return {
    type: kind === 'taken' ? StockTaken : ParcelPacked,
    name: `orders.${kind}`,
    mode: 'each',
    async handle(event: EventEnvelope, work: Work) {
      const { id, key, n } = event.payload as OfOrder;
      await work.manager.query(
        `with moved as (
           insert into last_answer (key, kind, n) values ($1::text, $2::text, $3::int)
             on conflict (key, kind) do update set n = excluded.n returning old.n as after)
         insert into answer (kind, id, key, n, after)
         select $2::text, $4::uuid, $1::text, $3::int, after from moved`,
        [key, kind, n, id],
      );
    },
  };
}
