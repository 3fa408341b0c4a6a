import { expect, it } from 'vitest';
import { differences, type Applied, type Ledger } from '../src/crash/ledger.js';

const entries: readonly Applied[] = [1, 2, 3, 4].map((n) => ({
  id: `o${n}`,
  key: 'k',
  n,
  after: n === 1 ? null : n - 1,
}));
const fourth = entries.slice(3);
const whole: Ledger = {
  causes: entries,
  acknowledged: ['o1', 'o4'],
  effects: entries,
  taken: entries,
  packed: fourth,
  packedAnswers: fourth,
  leftovers: [],
};

it('has nothing to say of a whole ledger, or of an empty one', () => {
  expect(differences(whole)).toEqual([]);
  const empty = {
    causes: [],
    acknowledged: [],
    effects: [],
    taken: [],
    packed: [],
    packedAnswers: [],
    leftovers: [],
  };
  expect(differences(empty)).toEqual([]);
});

const stray = { id: 'x', key: 'k', n: 9, after: 4 };
const swapped = [0, 2, 1, 3].map((index) => entries[index] as Applied);
const overtaken = entries.map((entry) => (entry.n === 3 ? { ...entry, after: 4 } : entry));

it.each<[string, Partial<Ledger>, string]>([
  ['a commit that was lost', { acknowledged: ['o9'] }, 'order o9: committed, and gone'],
  ['an effect that is missing', { effects: entries.slice(0, 3) }, 'effect of order o4 (k, 4): missing'],
  ['an effect twice', { effects: [...entries, ...fourth] }, 'effect of order o4 (k, 4): applied 2 times'],
  ['an effect without a cause', { effects: [...entries, stray] }, 'effect of order x: without a cause'],
  ['effects written out of order', { effects: swapped }, 'effects of k: 3 was applied after 2'],
  ['effects applied out of order', { effects: overtaken }, 'effects of k: 3 was applied after 4'],
  ['an answer that is missing', { taken: entries.slice(0, 3) }, 'answer of order o4 (k, 4): missing'],
  ['answers out of order', { taken: swapped }, 'answers of k: 3 was applied after 2'],
  ['a task that was lost', { packed: [] }, 'packing of order o4 (k, 4): missing'],
  [
    'a task that ended twice',
    { packed: [...fourth, ...fourth] },
    'packing of order o4 (k, 4): applied 2 times',
  ],
  ['a task’s event that was lost', { packedAnswers: [] }, 'answer of a packing of order o4 (k, 4): missing'],
  [
    'a counter that was used twice',
    { causes: [...entries, { id: 'o5', key: 'k', n: 4 }] },
    'causes of k: 5 is missing or there twice',
  ],
  ['what is left over', { leftovers: ['1 key is parked'] }, '1 key is parked'],
])('sees %s', (_, wrong, sentence) => {
  expect(differences({ ...whole, ...wrong })).toContain(sentence);
});
