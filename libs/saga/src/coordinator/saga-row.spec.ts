import { expect, it } from 'vitest';
import { MoneyHeld, Noticed, StockHeld, type Wanted } from '../../test/branches.js';
import { saga } from '../definition.js';
import { beginning } from './beginning.js';
import { movesOf, planOf, stateFrom, type SagaMoves } from './saga-row.js';
import { evolve, type Fact } from './saga-state.js';

const input = (wanted: Wanted): Wanted => wanted;
const begun = beginning(
  saga<Wanted>('purchase', 1)
    .branch('stock', StockHeld, input)
    .branch('money', MoneyHeld, input, { after: ['stock'] })
    .branch('notice', Noticed, input),
  1_764_331_200_000,
);

const why = { code: 'sold-out', text: 'none is left', branch: 'money' };
const FACTS: readonly Fact[] = [
  { fact: 'asked', branch: 'stock' },
  { fact: 'prepared', branch: 'stock', reply: '{"size":"M"}' },
  { fact: 'asked', branch: 'money' },
  { fact: 'abort-wanted', why },
  { fact: 'attention', reason: why },
  { fact: 'cancel-asked', branch: 'money' },
  { fact: 'refused', branch: 'money', code: why.code, text: why.text },
  { fact: 'aborted', why },
  { fact: 'holds', branch: 'slot', branchType: 'delivery.SlotHeld' },
  { fact: 'branch-cancelled', branch: 'stock', ran: true },
  { fact: 'ended' },
];

it('what a row says is what the saga was, after every fact', () => {
  const plan = planOf(begun);
  FACTS.reduce((before, fact, index) => {
    const state = evolve(before, [fact], 1_764_331_200_000 + index);
    const written = JSON.parse(JSON.stringify(movesOf(state, plan))) as SagaMoves;
    expect(stateFrom(JSON.parse(JSON.stringify(plan)) as typeof plan, written)).toEqual(state);
    return state;
  }, begun);
});

it('what never changes is not written again', () => {
  const moves = movesOf(evolve(begun, FACTS.slice(0, 1), 0), planOf(begun));
  expect(JSON.parse(JSON.stringify(moves))).toEqual({
    phase: 'PREPARING',
    movedAt: 0,
    branches: [{ state: 'ASKED' }, { state: 'WAITING' }, { state: 'WAITING' }],
  });
});
