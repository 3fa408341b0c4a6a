import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { saga, type DecidedSaga, type Saga } from '../src/index.js';
import { purchase, type Order, type Purchase } from './purchase.js';
import { SagaSystem, type SagaService } from './saga-services.js';

const ORDER: Order = { stock: 'shoes', money: '90', slot: 'monday' };

let system: SagaSystem;
let database: TestDatabase;
let running: Purchase;
beforeEach(async () => {
  [system, database] = [await SagaSystem.on('postgres'), await testDatabase('shop')];
  running = await purchase(system, { database });
}, 60_000);
afterEach(async () => {
  await system.stop();
  await database.drop();
});

/** One more replica of the shop. */
const replica = (...coordinates: readonly Saga<Order>[]): Promise<SagaService> =>
  system.service({ name: 'shop', coordinates, database });
const begin = (on: SagaService, definition: Saga<Order>) =>
  on.eventing.units.run((work) => on.sagas.begin(work, definition, ORDER));
const phaseOn = async (on: SagaService, id: string) => (await on.sagas.find(id))?.phase;

/** Every query of this name that the service has sent. */
function counting(service: SagaService, name: string): () => number {
  const sent = vi.spyOn(service.eventing.pool, 'query') as unknown as {
    mock: { calls: [{ name?: string }][] };
  };
  return () => sent.mock.calls.filter(([query]) => query?.name === name).length;
}

describe('H37: a caller waits while another replica decides', () => {
  it('it is told within about 100 ms of the commit there; nobody waiting, nothing is asked', async () => {
    const { shop: decides, definition } = running;
    const waits = await replica(definition);
    await waits.eventing.stopConsuming(); // so that every decision is taken on the other one
    const queries = counting(waits, 'saga_decided_of');
    const lateness: number[] = [];
    for (let nth = 0; nth < 9; nth++) {
      const { id } = await begin(waits, definition);
      const at = (on: SagaService): Promise<number> =>
        on.sagas.outcome(id, { withinMs: 20_000 }).then((view) => {
          expect(view?.decidedAt).toBeInstanceOf(Date);
          return performance.now();
        });
      const [told, committed] = await Promise.all([at(waits), at(decides)]);
      lateness.push(told - committed);
    }
    expect(lateness.toSorted((a, b) => a - b)[4]).toBeLessThan(100);
    expect(queries()).toBeGreaterThan(0);
    const before = queries();
    for (let nth = 0; nth < 5; nth++) {
      const { id } = await begin(waits, definition);
      await settled('it ends', async () => (await phaseOn(decides, id)) === 'COMMITTED');
    }
    expect(queries()).toBe(before);
  }, 60_000);

  it('one query serves all who wait', async () => {
    const { shop: decides, definition } = running;
    const waits = await replica(definition);
    await waits.eventing.stopConsuming();
    await decides.eventing.stopConsuming(); // nobody decides
    const queries = counting(waits, 'saga_decided_of');
    const ids = await Promise.all(Array.from({ length: 40 }, () => begin(waits, definition)));
    const began = performance.now();
    await Promise.all(ids.map(({ id }) => waits.sagas.outcome(id, { withinMs: 1_000 })));
    expect(queries()).toBeLessThanOrEqual((performance.now() - began) / 50 + 1);
    expect(queries()).toBeGreaterThan(1);
  }, 60_000);
});

describe('versions', () => {
  it('one that is in use can not be removed unnoticed: the start names it, and who uses it', async () => {
    const { definition, participants, shop } = running;
    for (const each of participants) await each.eventing.stopConsuming();
    const { id } = await begin(shop, definition);
    const newer = nextOf(definition);
    await expect(replica(newer)).rejects.toThrow(`purchase v1 by 1 (${id})`);
    await shop.sagas.cancel(id, { code: 'test', text: 'a test' });
    // Its participants have not acknowledged yet.
    await expect(replica(newer)).rejects.toThrow('purchase v1 by 1');
    await shop.sagas.operations.act(id, { name: 'resolve', branch: 'stock', committed: false }, BY_TEST);
    await shop.sagas.operations.act(id, { name: 'resolve', branch: 'money', committed: false }, BY_TEST);
    await shop.sagas.operations.act(id, { name: 'resolve', branch: 'slot', committed: false }, BY_TEST);
    expect(await replica(newer)).toBeDefined();
  }, 60_000);

  it('v1 and v2 run side by side while a deploy rolls: each decided where it is declared', async () => {
    const { definition, shop: old } = running;
    const decided: DecidedSaga[] = [];
    const newer = nextOf(definition).decided(async (sagas) => void decided.push(...sagas));
    const both = await replica(definition, newer);
    await settled('both replicas read', () =>
      [old, both].every(({ eventing }) => (eventing.status().consumer?.assigned.length ?? 0) > 0),
    );
    const first = await Promise.all(Array.from({ length: 12 }, () => begin(old, definition)));
    const second = await Promise.all(Array.from({ length: 12 }, () => begin(both, newer)));
    await settled('the old ones end', async () =>
      (await Promise.all(first.map(({ id }) => phaseOn(both, id)))).every((phase) => phase === 'COMMITTED'),
    );
    await settled('the new ones end', async () =>
      (await Promise.all(second.map(({ id }) => phaseOn(both, id)))).every((phase) => phase === 'COMMITTED'),
    );
    expect(decided.map(({ id }) => id).toSorted()).toEqual(second.map(({ id }) => id).toSorted());
  }, 60_000);
});

const BY_TEST = { reason: 'a test of versions', by: 'test', dryRun: false };

/** The same saga as version 2. */
function nextOf(definition: Saga<Order>): Saga<Order> {
  return definition.branches.reduce<Saga<Order>>(
    (next, branch) => next.branch(branch.name, branch.type, (from: Order) => branch.input(from)),
    saga<Order>(definition.type, definition.version + 1).within(definition.limits),
  );
}
