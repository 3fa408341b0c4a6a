import { seeded } from '@aura/testing';
import { expect, it } from 'vitest';
import { saga, type Saga } from '../src/index.js';
import {
  Labelled,
  MoneyHeld,
  Noticed,
  Refunded,
  Restocked,
  SlotHeld,
  StockHeld,
  type Wanted,
} from './branches.js';
import { NO_TOMBSTONE, REAL } from './model/rules.js';
import { wander } from './model/wander.js';
import { Model } from './model/model.js';
import type { Budget } from './model/world.js';

const SAGAS = 100_000;
const input = (wanted: Wanted): Wanted => wanted;
const DEFINITIONS: readonly Saga<Wanted>[] = [
  saga<Wanted>('parallel', 1)
    .branch('stock', StockHeld, input)
    .branch('money', MoneyHeld, input)
    .branch('slot', SlotHeld, input),
  saga<Wanted>('ordered', 1)
    .branch('stock', StockHeld, input)
    .branch('money', MoneyHeld, input, { after: ['stock'] })
    .branch('slot', SlotHeld, input, { after: ['money'] }),
  saga<Wanted>('return', 1)
    .branch('restock', Restocked, input)
    .branch('label', Labelled, input, { after: ['restock'] })
    .branch('refund', Refunded, input)
    .branch('notice', Noticed, input),
];
/** More of everything than every interleaving could be tried with. */
const BUDGET: Budget = {
  duplicates: 4,
  crashes: 3,
  lostAcks: 3,
  parked: 4,
  cancels: 1,
  questions: 3,
  faults: 8,
};

it(`S1 to S7: ${SAGAS} sagas under random schedules`, { timeout: 300_000 }, () => {
  const random = seeded('sagas');
  // Of half of them nobody refuses: else hardly any would commit.
  const models = DEFINITIONS.flatMap((each) => [new Model(each, REAL, true), new Model(each, REAL, false)]);
  const ends = new Map<string, number>();
  let steps = 0;
  for (let n = 0; n < SAGAS; n++) {
    const run = wander(random.pick(models), BUDGET, random);
    expect(run.violation, `saga ${n}: ${run.way.join('; ')}`).toBeUndefined();
    steps += run.steps;
    ends.set(run.end.saga.phase, (ends.get(run.end.saga.phase) ?? 0) + 1);
  }
  console.log(`${SAGAS} sagas, ${steps} steps: ${JSON.stringify(Object.fromEntries(ends))}`);
  for (const phase of ['COMMITTED', 'ABORTED']) expect(ends.get(phase)).toBeGreaterThan(SAGAS / 5);
});

it('a mutant is caught by a few thousand of them', () => {
  const random = seeded('mutated sagas');
  const model = new Model(DEFINITIONS[0] as Saga<Wanted>, NO_TOMBSTONE, true);
  const caught = Array.from({ length: 5_000 }).some(
    () => wander(model, BUDGET, random).violation !== undefined,
  );
  expect(caught).toBe(true);
});
