import { describe, expect, it } from 'vitest';
import { saga, type Saga } from '../src/index.js';
import { MoneyHeld, Noticed, Refunded, Restocked, SlotHeld, StockHeld, type Wanted } from './branches.js';
import { explore } from './model/explore.js';
import {
  DEADLINE_ABORTS_PIVOT,
  DECIDES_BEFORE_VOTES,
  LATE_PREPARE_SAYS_YES,
  NO_TOMBSTONE,
  REAL,
  type Rules,
} from './model/rules.js';
import { Model } from './model/model.js';
import type { Budget } from './model/world.js';

const input = (wanted: Wanted): Wanted => wanted;
const parallel = saga<Wanted>('parallel', 1)
  .branch('stock', StockHeld, input)
  .branch('money', MoneyHeld, input)
  .branch('slot', SlotHeld, input);
const ordered = saga<Wanted>('ordered', 1)
  .branch('stock', StockHeld, input)
  .branch('money', MoneyHeld, input)
  .branch('slot', SlotHeld, input, { after: ['stock', 'money'] });
const returned = saga<Wanted>('return', 1)
  .branch('restock', Restocked, input)
  .branch('refund', Refunded, input)
  .branch('notice', Noticed, input);

const NOTHING: Budget = {
  duplicates: 0,
  crashes: 0,
  lostAcks: 0,
  parked: 0,
  cancels: 0,
  questions: 0,
  faults: 0,
};
/** Nothing goes wrong; the caller may cancel, and a participant may ask what was decided. */
const PEOPLE: Budget = { ...NOTHING, cancels: 1, questions: 1 };
/** One thing goes wrong, whichever. */
const ONE_FAULT: Budget = { ...NOTHING, duplicates: 1, crashes: 1, lostAcks: 1, parked: 1, faults: 1 };
/** A duplicate, a crash and a lost acknowledgement, all in one run. */
const THREE_FAULTS: Budget = { ...NOTHING, duplicates: 1, crashes: 1, lostAcks: 1, faults: 3 };

const MINUTES = { timeout: 600_000 };

describe('every interleaving of a coordinator and three participants', MINUTES, () => {
  it.each<[string, Saga<Wanted>, Budget, boolean]>([
    ['in parallel, with a cancel and a question', parallel, PEOPLE, true],
    ['in order, with a cancel and a question', ordered, PEOPLE, true],
    ['compensatable, pivot, retriable, with a cancel and a question', returned, PEOPLE, true],
    ['in parallel, with any one fault', parallel, ONE_FAULT, true],
    ['in order, with any one fault', ordered, ONE_FAULT, true],
    ['compensatable, pivot, retriable, with any one fault', returned, ONE_FAULT, true],
    ['in order, with a duplicate, a crash and a lost acknowledgement', ordered, THREE_FAULTS, false],
  ])('S1, S2, S3, S4, S6, S7: %s', (name, definition, budget, refusals) => {
    const { states, ends, violation } = explore(new Model(definition, REAL, refusals), budget);
    console.log(`${name}: ${states} states, ${ends} of them ends`);
    expect(violation).toBeUndefined();
  });
});

describe('a mutant is caught', MINUTES, () => {
  it.each<[string, Rules, Saga<Wanted>, RegExp]>([
    ['no tombstone', NO_TOMBSTONE, parallel, /^S[37]/],
    ['a late prepare says yes', LATE_PREPARE_SAYS_YES, parallel, /^S[37]/],
    ['a decision before the votes', DECIDES_BEFORE_VOTES, parallel, /^S/],
    [
      'the deadline aborts a pivot (H9)',
      DEADLINE_ABORTS_PIVOT,
      returned,
      /^S1: aborted, but the pivot has acted/,
    ],
  ])('%s', (name, rules, definition, said) => {
    const { states, violation } = explore(new Model(definition, rules, true), { ...ONE_FAULT, cancels: 1 });
    console.log(`${name}: after ${states} states: ${violation?.what}: ${violation?.way.join('; ')}`);
    expect(violation?.what).toMatch(said);
  });
});
