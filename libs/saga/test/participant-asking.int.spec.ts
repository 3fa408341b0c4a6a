import { newEventId } from '@aura/contracts';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Depot, DEPOT } from './participant-depot.js';
import { participantFixture, SagaOf, type ParticipantFixture } from './participant-fixture.js';
import { emptied, entriesOf, said, stock, two } from './participant-words.js';

let depot: Depot;
let service: ParticipantFixture;
beforeAll(async () => {
  depot = new Depot();
  service = await participantFixture(entriesOf(depot), { sql: DEPOT });
});
afterAll(() => service.close());
beforeEach(() => emptied(service, depot));

const held = async (): Promise<unknown[]> =>
  (await service.findings()).filter(({ code }) => code === 'branch-held');

it('a yes that is not decided asks, with back-off, and hears the answer', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.started(two));
  await service.answers();
  await service.participants.runOnce();
  expect(await said(service)).toEqual([]);
  const begun = service.now.getTime();
  service.now = new Date(begun + 10_001);
  await service.participants.runOnce();
  const [asked, ...others] = await service.answers();
  expect(others).toEqual([]);
  expect(asked).toMatchObject({
    says: 'DecisionAsked',
    answer: { sagaId: saga.id, coordinator: 'shop', branch: 'stock', heldSince: new Date(begun) },
    raised: { key: saga.id, headers: { correlationid: saga.id } },
  });
  service.now = new Date(begun + 15_000);
  await service.participants.runOnce();
  expect(await said(service)).toEqual([]);
  let questions = 0;
  for (let s = 16; s < 616; s++) {
    service.now = new Date(begun + s * 1_000);
    await service.participants.runOnce();
    questions += (await said(service)).length;
  }
  // Every 30 to 60 s once the back-off is at its bound.
  expect(questions).toBeGreaterThan(9);
  expect(questions).toBeLessThan(22);
  expect(await held()).toMatchObject([{ subject: `saga ${saga.id}, branch stock` }]);
  await service.deliver(saga.repeated(stock, 'COMMITTED'));
  service.now = new Date(begun + 1_000_000);
  await service.participants.runOnce();
  expect(await said(service)).toEqual(['COMMITTED']);
  expect(await held()).toEqual([]);
});

it('replicas that ask at the same time ask once', async () => {
  const sagas = Array.from({ length: 20 }, () => new SagaOf());
  await service.deliver(...sagas.map((saga) => saga.started({ ...two, input: { sku: 'sku-1', pieces: 0 } })));
  await service.answers();
  const replicas = [service.another(), service.another(), service.another()];
  const now = new Date(Date.now() + 11_000);
  for (const replica of replicas) replica.now = now;
  await Promise.all(replicas.map((replica) => replica.participants.runOnce()));
  const asked = (await service.answers()).map(({ sagaId }) => sagaId);
  expect(asked.toSorted()).toEqual(sagas.map(({ id }) => id).toSorted());
});

it('asks at once for what an unreadable decision was about (H20)', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.started(two));
  await service.answers();
  const [handler] = service.participants.handlers();
  const record = {
    topic: 'shop.events',
    type: 'aura.SagaCommitted',
    key: saga.id,
    id: newEventId(service.now),
  };
  await service.units.run(async (work) => handler?.refused?.(record, new Error('unreadable'), work));
  await service.participants.runOnce();
  expect(await said(service)).toEqual(['DecisionAsked']);
  // It is told, and again it can't be handled: no sooner than the back-off says.
  await service.units.run(async (work) => handler?.refused?.(record, new Error('unreadable'), work));
  await service.participants.runOnce();
  expect(await said(service)).toEqual([]);
  expect(service.errors).toHaveLength(2);
});
