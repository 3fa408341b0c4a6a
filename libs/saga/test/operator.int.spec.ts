import { newEventId } from '@aura/contracts';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { saga, type Saga } from '../src/index.js';
import type { Wanted } from './branches.js';
import { holding, HOLDS } from './holds.js';
import { SagaSystem, type SagaService } from './saga-services.js';

const BY_TEST = { reason: 'a test of operators', by: 'anna', dryRun: false };

const participates = (type: unknown) => [{ type: type as never, participant: holding as never }];

let system: SagaSystem;
let shop: SagaService;
let participants: SagaService[];
let order: Saga<Wanted>;
/** Makes the service's own rows fail to follow a decision. */
let failing = false;
beforeAll(async () => {
  system = await SagaSystem.on('postgres');
  const [stock, money] = [
    system.branch('stock', 'StockHold', ['shop']),
    system.branch('money', 'MoneyHold', ['shop']),
  ];
  order = saga<Wanted>('order', 1)
    .branch('stock', stock, (wanted) => wanted)
    .branch('money', money, (wanted) => wanted)
    .within({ prepareMs: 60_000, attentionMs: 1 })
    .decided(async () => {
      if (failing) throw new Error('the row is locked by somebody');
    });
  participants = [
    await system.service({ name: 'stock', participates: participates(stock), sql: HOLDS }),
    await system.service({ name: 'money', participates: participates(money), sql: HOLDS }),
  ];
  shop = await system.service({ name: 'shop', coordinates: [order] });
}, 60_000);
afterAll(() => system.stop());

const begin = async (): Promise<string> =>
  (await shop.eventing.units.run((work) => shop.sagas.begin(work, order, { what: 'shoes' }))).id;
const phaseOf = async (id: string) => (await shop.sagas.find(id))?.phase;
const holds = async (id: string): Promise<string[]> => {
  const rows = participants.map((each) =>
    each.rows<{ state: string }>('select state from hold where saga_id = $1', [id]),
  );
  return (await Promise.all(rows)).flat().map(({ state }) => state);
};
const groups = async (what: 'pause' | 'resume', ...services: SagaService[]): Promise<void> => {
  for (const { eventing } of services) {
    await eventing.operations.groups[what](BY_TEST);
    await settled(what, () => (eventing.status().consumer?.paused !== undefined) === (what === 'pause'));
  }
};
const factsOf = async (id: string) =>
  (await shop.sagas.operations.show(id, 100))?.log.flatMap(({ facts }) => facts) ?? [];
const noted = (id: string) =>
  shop.rows<{ what: string }>(`select what, by, reason from aura.operation where subject ->> 'saga' = $1`, [
    id,
  ]);

/** Both hold, and the coordinator has not heard it. */
async function heldUnheard(): Promise<string> {
  await groups('pause', shop);
  const id = await begin();
  await settled('both hold', async () => (await holds(id)).length === 2);
  return id;
}

describe('operators', () => {
  it('H37: force-commit waits for every yes; then it is a decision like any other', async () => {
    const id = await heldUnheard();
    const act = shop.sagas.operations.act(id, { name: 'force-commit' }, BY_TEST);
    await expect(act).rejects.toThrow(
      'not every branch is prepared (stock is ASKED, money is ASKED). Possible is: abort, force-cancel',
    );
    expect([await phaseOf(id), await noted(id)]).toEqual(['PREPARING', []]);
    // As an earlier program may have left it: all have said yes, and nobody decided.
    await shop.rows(
      `update aura.saga set phase = 'PREPARED', state = replace(replace(state::text, 'ASKED', 'PREPARED'),
         '"PREPARING"', '"PREPARED"')::jsonb where id = $1`,
      [id],
    );
    const dry = await shop.sagas.operations.act(id, { name: 'force-commit' }, { ...BY_TEST, dryRun: true });
    expect([dry.phase, await phaseOf(id)]).toEqual(['COMMITTING', 'PREPARED']);
    const done = await shop.sagas.operations.act(id, { name: 'force-commit' }, BY_TEST);
    expect(done).toMatchObject({ phase: 'COMMITTING', decidedAt: expect.any(Date) });
    await groups('resume', shop);
    await settled('it ends', async () => (await phaseOf(id)) === 'COMMITTED');
    expect(await holds(id)).toEqual(['TAKEN', 'TAKEN']);
    expect((await factsOf(id)).slice(1, 4)).toMatchObject([
      { fact: 'asked', branch: 'money' },
      { fact: 'operator', action: 'force-commit', by: 'anna', reason: 'a test of operators' },
      { fact: 'committed' },
    ]);
  });

  it('what was asked, its note and what follows are one transaction', async () => {
    const id = await heldUnheard();
    failing = true;
    const act = shop.sagas.operations.act(id, { name: 'abort' }, BY_TEST);
    await expect(act).rejects.toThrow('the row is locked');
    failing = false;
    expect([await phaseOf(id), await noted(id), (await factsOf(id)).length]).toEqual(['PREPARING', [], 2]);
    await shop.sagas.operations.act(id, { name: 'abort' }, BY_TEST);
    expect(await noted(id)).toEqual([{ what: 'sagas abort', by: 'anna', reason: 'a test of operators' }]);
    await groups('resume', shop);
    await settled('it ends', async () => (await phaseOf(id)) === 'ABORTED');
    expect(await holds(id)).toEqual(['GIVEN BACK', 'GIVEN BACK']);
  });

  it('S6: silent participants are a finding; the command of the finding tells them again', async () => {
    const id = await heldUnheard();
    await groups('pause', ...participants);
    await groups('resume', shop);
    await settled('decided', async () => (await phaseOf(id)) === 'COMMITTING');
    await settled('attention', async () => {
      await shop.sagas.runTimersOnce();
      return (await shop.sagas.find(id))?.attention?.code === 'silent';
    });
    const found = (await shop.eventing.operations.doctor()).find(({ code }) => code === 'saga-attention');
    expect(found).toMatchObject({ subject: `saga ${id}`, command: `sagas retry ${id} --reason "…"` });
    expect((await shop.sagas.operations.list({ attention: true }, 10)).sagas).toMatchObject([{ id }]);
    await shop.sagas.operations.act(id, { name: 'retry' }, BY_TEST);
    const repeated = await shop.rows(
      `select from aura.outbox where key = $1 and type = 'aura.DecisionRepeated'`,
      [id],
    );
    expect(repeated).toHaveLength(2);
    await groups('resume', ...participants);
    await settled('it ends', async () => (await phaseOf(id)) === 'COMMITTED');
    expect(await holds(id)).toEqual(['TAKEN', 'TAKEN']);
    expect((await shop.eventing.operations.doctor()).map(({ code }) => code)).not.toContain('saga-attention');
  });

  it('a branch is resolved by hand as the decision says, never against it', async () => {
    const id = await heldUnheard();
    await groups('pause', ...participants);
    await groups('resume', shop);
    await settled('decided', async () => (await phaseOf(id)) === 'COMMITTING');
    const resolve = (branch: string, committed: boolean) =>
      shop.sagas.operations.act(id, { name: 'resolve', branch, committed }, BY_TEST);
    await expect(resolve('stock', false)).rejects.toThrow(/can't be resolved as cancelled/);
    expect(await resolve('stock', true)).toMatchObject({ phase: 'COMMITTING' });
    expect(await resolve('money', true)).toMatchObject({ phase: 'COMMITTED' });
    await groups('resume', ...participants);
    await settled('they have taken', async () => (await holds(id)).join() === 'TAKEN,TAKEN');
    expect(await shop.sagas.find(id)).toMatchObject({ phase: 'COMMITTED', attention: null });
  });

  it('a saga that is not there is said so', async () => {
    const act = shop.sagas.operations.act(newEventId(new Date()), { name: 'retry' }, BY_TEST);
    await expect(act).rejects.toThrow('there is no saga');
  });
});
