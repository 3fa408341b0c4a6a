import { randomUUID } from 'node:crypto';
import { Handlers } from '@aura/eventing';
import { Sagas, type Saga } from '@aura/saga';
import { seeded, type Seeded } from '@aura/testing';
import { consoleLogger as logger } from '../console-logger.js';
import { openService, pause, type Service } from '../service.js';
import type { ServiceSettings } from '../settings.js';
import { participantOf } from './participants.js';
import {
  COORDINATOR,
  HASTY_PURCHASE,
  HOLDS,
  PURCHASE,
  type Order,
  type ParticipantName,
} from './shop-saga.js';

/** The most that may be on their way to a COMMIT at once: past it the load waits. */
const MOST_AT_ONCE = 32;

export interface SagaLoad {
  /** Starts per second, as long as the machine carries them. */
  readonly perSecond: number;
  readonly seed: number;
  /** So many buyers of the last pieces, at once, instead. */
  readonly buyers?: number;
}

export interface Shop extends Service {
  stopLoad(): Promise<void>;
}

export async function startParticipant(settings: ServiceSettings, name: ParticipantName): Promise<Service> {
  const participant = (): never => participantOf(name) as never;
  const sagas = new Sagas({
    service: name,
    logger,
    participates: [{ type: HOLDS[name], participant }],
  });
  return running(settings, name, sagas);
}

export async function startShop(settings: ServiceSettings): Promise<Shop> {
  const coordinates = [PURCHASE, HASTY_PURCHASE] as unknown as Saga<never>[];
  const sagas = new Sagas({ service: COORDINATOR, logger, coordinates });
  const service = await running(settings, COORDINATOR, sagas);
  const { load } = settings;
  const stopping = new AbortController();
  const loading = load
    ? load.buyers
      ? rush(service, sagas, load.buyers)
      : shopping(service, sagas, load, stopping.signal)
    : Promise.resolve();
  const stopLoad = async (): Promise<void> => {
    stopping.abort();
    await loading;
  };
  return { ...service, stopLoad, close: () => stopLoad().then(() => service.close()) };
}

async function running(settings: ServiceSettings, name: string, sagas: Sagas): Promise<Service> {
  const { publishes, subscribes } = sagas;
  const service = await openService(settings, { name, publishes, subscribes });
  const { eventing } = service;
  await sagas.prepare(eventing);
  await eventing.run(sagas.tasks());
  await eventing.consume(new Handlers(sagas.handlers()));
  sagas.start();
  const close = async (): Promise<void> => {
    await eventing.stopConsuming();
    await sagas.stop();
    await service.close();
  };
  return { ...service, close };
}

/** Everybody wants the last pieces, at once. A shop that was started again begins no second rush. */
async function rush(service: Service, sagas: Sagas, buyers: number): Promise<void> {
  const references = Array.from({ length: buyers }, (_, n) => `buyer-${n}`);
  await Promise.all(references.map((reference) => start(service, sagas, PURCHASE, 'last', reference)));
}

/** In steps of 10 ms, as many as are due; what the machine does not carry is not made up for. */
async function shopping(
  service: Service,
  sagas: Sagas,
  { perSecond, seed }: SagaLoad,
  signal: AbortSignal,
): Promise<void> {
  const random = seeded('shopping', seed, () => undefined);
  const open = new Set<Promise<void>>();
  let lastMs = performance.now();
  for (let due = 0; !signal.aborted; await pause(10)) {
    const nowMs = performance.now();
    due = Math.min(MOST_AT_ONCE, due + ((nowMs - lastMs) * perSecond) / 1_000);
    lastMs = nowMs;
    for (; due >= 1 && open.size < MOST_AT_ONCE; due--) {
      const one: Promise<void> = shopOnce(service, sagas, random)
        .catch((error: unknown) => logger.warn({ err: error }, 'a purchase was not started'))
        .finally(() => open.delete(one));
      open.add(one);
    }
  }
  await Promise.all(open);
}

/** Of 20: 2 sold out, 1 too slow, 1 cancelled, 1 started twice at once with the same key. */
async function shopOnce(service: Service, sagas: Sagas, random: Seeded): Promise<void> {
  const draw = random.int(20);
  const sku = draw < 2 ? 'gone' : `sku-${random.int(20)}`;
  const reference = randomUUID();
  const definition = draw === 2 ? HASTY_PURCHASE : PURCHASE;
  const id = start(service, sagas, definition, sku, reference);
  if (draw === 3) await sagas.cancel(await id, { code: 'cancelled', text: 'the buyer changed their mind' });
  if (draw === 4) await start(service, sagas, definition, sku, reference);
  await id;
}

function start(
  service: Service,
  sagas: Sagas,
  definition: Saga<Order>,
  sku: string,
  reference: string,
): Promise<string> {
  return service.eventing.units.run(async (work) => {
    const { id, isNew } = await sagas.begin(work, definition, { sku }, { idempotencyKey: reference });
    if (isNew) await work.manager.query('insert into purchase values ($1, $2)', [id, reference]);
    return id;
  });
}
