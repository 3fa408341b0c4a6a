import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Depot, DEPOT } from './participant-depot.js';
import { Hold, participantFixture, SagaOf, type ParticipantFixture } from './participant-fixture.js';

let depot: Depot;
let service: ParticipantFixture;
beforeAll(async () => {
  depot = new Depot();
  service = await participantFixture([{ type: Hold, participant: depot }], { sql: DEPOT });
});
afterAll(() => service.close());
beforeEach(async () => {
  depot.calls.length = 0;
  depot.faults.clear();
  service.errors.length = 0;
  service.now = new Date();
  await service.pool.query(
    'truncate hold, aura.branch, aura.task; update stock set free = 10, held = 0, sold = 0',
  );
  await service.answers();
});

const stock = { branch: 'stock', type: Hold };
const two = { ...stock, input: { sku: 'sku-1', pieces: 2 } };
const stockOf = async (sku: string): Promise<unknown> =>
  (await service.rows('select free, held, sold from stock where sku = $1', [sku]))[0];

it('prepares, commits and answers', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.started(two));
  const [vote, ...others] = await service.answers();
  expect(others).toEqual([]);
  expect(vote).toMatchObject({
    type: 'aura.BranchPrepared',
    key: saga.id,
    payload: { sagaId: saga.id, coordinator: 'shop', branch: 'stock', reply: '{"sku":"sku-1"}' },
    headers: { correlationid: saga.id },
  });
  expect(await stockOf('sku-1')).toEqual({ free: 8, held: 2, sold: 0 });
  await service.deliver(saga.committed(stock));
  expect((await service.answers()).map(({ type }) => type)).toEqual(['aura.BranchCommitted']);
  expect(await stockOf('sku-1')).toEqual({ free: 8, held: 0, sold: 2 });
  expect(await service.states()).toEqual({ [`${saga.id}/stock`]: 'COMMITTED' });
});
