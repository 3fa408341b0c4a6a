import { randomUUID } from 'node:crypto';
import { Handlers, type TaskHandler } from '@aura/eventing';
import { Sagas, type Saga } from '@aura/saga';
import { seeded, type Seeded } from '@aura/testing';
import { consoleLogger as logger } from '../console-logger.js';
import { openService, pause, type Service } from '../service.js';
import type { ServiceSettings } from '../settings.js';
import { METHOD_REFS } from './cards.js';
import { participantOf } from './participants.js';
import {
  CARD_PURCHASE,
  COORDINATOR,
  HASTY_PURCHASE,
  HOLDS,
  keep,
  PURCHASE,
  SAGAS,
  TAILORED_PURCHASE,
  type Order,
  type OwnName,
} from './shop-saga.js';

/** The most that may be on their way to a COMMIT at once: past it the load waits. */
const MOST_AT_ONCE = 32;
/** The tailor takes his time: more would be late before they begin. */
const TAILORED_EVERY_MS = 2_000;

/** The error of letters whose process ended while it handled their event alone. */
export const KILLED = 'EndedProcessError';

export interface SagaLoad {
  /** Starts per second, as long as the machine carries them. */
  readonly perSecond: number;
  readonly seed: number;
  /** So many buyers of the last pieces, at once, instead. */
  readonly buyers?: number;
}

export interface Shop extends Service {
  stopLoad(): Promise<void>;
  /** As an operator does who knows that processes were killed from outside. */
  redrive(): Promise<void>;
}

export async function startParticipant(settings: ServiceSettings, name: OwnName): Promise<Service> {
  const participant = (): never => participantOf(name, settings.replica ?? name) as never;
  const participates = [{ type: HOLDS[name], participant }];
  return running(settings, name, new Sagas({ service: name, logger, participates }));
}

export async function startShop(settings: ServiceSettings): Promise<Shop> {
  const coordinates = SAGAS as unknown as Saga<never>[];
  const sagas = new Sagas({ service: COORDINATOR, logger, coordinates });
  const service = await running(settings, COORDINATOR, sagas);
  const { load } = settings;
  const stopping = new AbortController();
  const loading = load
    ? load.buyers
      ? rush(sagas, load.buyers)
      : shopping(service, sagas, load, stopping.signal)
    : Promise.resolve();
  const stopLoad = async (): Promise<void> => {
    stopping.abort();
    await loading;
  };
  const redrive = async (): Promise<void> => {
    const { letters } = service.eventing.operations;
    const change = { reason: 'processes were killed from outside', by: 'the campaign', dryRun: false };
    await letters.redrive({ error: KILLED }, change);
  };
  return { ...service, stopLoad, redrive, close: () => stopLoad().then(() => service.close()) };
}

/** `beforeSagas`: makes what takes part once the database is there; gives the service's own tasks. */
export async function running(
  settings: ServiceSettings,
  name: string,
  sagas: Sagas,
  beforeSagas: (service: Service) => readonly TaskHandler[] = () => [],
): Promise<Service> {
  const { publishes, subscribes } = sagas;
  const service = await openService(settings, { name, publishes, subscribes });
  const { eventing } = service;
  const own = beforeSagas(service);
  await sagas.prepare(eventing);
  await eventing.run([...sagas.tasks(), ...own]);
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
async function rush(sagas: Sagas, buyers: number): Promise<void> {
  const orders = Array.from({ length: buyers }, (_, n) => ({
    sku: 'last',
    reference: `buyer-${n}`,
    methodRef: '',
  }));
  await Promise.all(
    orders.map((order) => sagas.submit(PURCHASE, order, { idempotencyKey: order.reference })),
  );
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
  let tailoredMs = -Infinity;
  for (let due = 0; !signal.aborted; await pause(10)) {
    const nowMs = performance.now();
    due = Math.min(MOST_AT_ONCE, due + ((nowMs - lastMs) * perSecond) / 1_000);
    lastMs = nowMs;
    for (; due >= 1 && open.size < MOST_AT_ONCE; due--) {
      const isTailored = nowMs - tailoredMs > TAILORED_EVERY_MS;
      if (isTailored) tailoredMs = nowMs;
      const definition = isTailored ? TAILORED_PURCHASE : definitionFor(random.int(20));
      const one: Promise<void> = shopOnce(service, sagas, definition, random)
        .catch((error: unknown) => logger.warn({ err: error }, 'a purchase was not started'))
        .finally(() => open.delete(one));
      open.add(one);
    }
  }
  await Promise.all(open);
}

/** Of 20: 1 is cancelled, 1 started twice at once with the same key, 1 in a transaction of the shop's own. */
async function shopOnce(
  service: Service,
  sagas: Sagas,
  definition: Saga<Order>,
  random: Seeded,
): Promise<void> {
  const order = {
    sku: skuFor(random),
    reference: randomUUID(),
    methodRef: random.pick(METHOD_REFS),
  };
  const fate = random.int(20);
  const start = (): Promise<string> =>
    fate === 2 ? begin(service, sagas, definition, order) : submit(sagas, definition, order);
  const id = start();
  if (fate === 0) await sagas.cancel(await id, { code: 'cancelled', text: 'the buyer changed their mind' });
  if (fate === 1) await start();
  await id;
}

/** Of 20: 1 without patience, 5 paid by card. */
function definitionFor(draw: number): Saga<Order> {
  if (draw === 0) return HASTY_PURCHASE;
  return draw < 6 ? CARD_PURCHASE : PURCHASE;
}

/** Of 20: 1 that is sold out, 2 of which there are few. */
function skuFor(random: Seeded): string {
  const draw = random.int(20);
  if (draw === 0) return 'gone';
  return draw < 3 ? `few-${random.int(4)}` : `sku-${random.int(4)}`;
}

async function submit(sagas: Sagas, definition: Saga<Order>, order: Order): Promise<string> {
  return (await sagas.submit(definition, order, { idempotencyKey: order.reference })).id;
}

function begin(service: Service, sagas: Sagas, definition: Saga<Order>, order: Order): Promise<string> {
  return service.eventing.units.run(async (work) => {
    const started = await sagas.begin(work, definition, order, { idempotencyKey: order.reference });
    if (started.isNew) await keep([{ id: started.id, input: order }], work);
    return started.id;
  });
}
