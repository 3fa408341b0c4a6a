import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { purchase, type Order, type Purchase } from '../test/purchase.js';
import { SagaSystem } from '../test/saga-services.js';

const ORDER: Order = { stock: 'shoes', money: '90', slot: 'monday' };

describe.each(['postgres', 'kafka'] as const)('a saga of four services over the %s log', (kind) => {
  let system: SagaSystem;
  let running: Purchase;
  beforeAll(async () => {
    system = await SagaSystem.on(kind);
    running = await purchase(system);
  }, 60_000);
  afterAll(() => system.stop());

  const begin = (order: Order, idempotencyKey?: string) =>
    running.shop.eventing.units.run((work) =>
      running.shop.sagas.begin(work, running.definition, order, idempotencyKey ? { idempotencyKey } : {}),
    );
  const holdsOf = async (id: string): Promise<string[]> => {
    const all = running.participants.map((each) =>
      each.rows<{ state: string }>('select state from hold where saga_id = $1', [id]),
    );
    return (await Promise.all(all)).flat().map(({ state }) => state);
  };
  const ended = async (id: string) => {
    await settled(`saga ${id} ends`, async () => (await running.shop.sagas.find(id))?.endedAt !== null);
    return running.shop.sagas.find(id);
  };

  it('S2: commits, and every branch commits once', async () => {
    const { id } = await begin(ORDER);
    const decided = await running.shop.sagas.outcome(id, { withinMs: 20_000 });
    expect(decided).toMatchObject({
      decidedAt: expect.any(Date),
      why: null,
      replies: { stock: { holds: 'shoes' } },
    });
    expect(await ended(id)).toMatchObject({ phase: 'COMMITTED' });
    expect(await holdsOf(id)).toEqual(['TAKEN', 'TAKEN', 'TAKEN']);
  });

  it('S3: a refusal aborts, and nobody keeps a hold', async () => {
    const { id } = await begin({ ...ORDER, money: 'none' });
    expect(await ended(id)).toMatchObject({
      phase: 'ABORTED',
      why: { code: 'sold-out', text: 'none is left', branch: 'money' },
    });
    expect((await holdsOf(id)).filter((state) => state === 'HELD' || state === 'TAKEN')).toEqual([]);
  });

  it('a repeated start gives the first saga; with another input it is a conflict', async () => {
    const first = await begin(ORDER, 'key-1');
    expect(await begin(ORDER, 'key-1')).toEqual({ id: first.id, isNew: false });
    await expect(begin({ ...ORDER, stock: 'hats' }, 'key-1')).rejects.toThrow(
      /was used before, for another one/,
    );
  });
});
