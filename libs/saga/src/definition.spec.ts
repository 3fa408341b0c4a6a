import { describe, expect, it } from 'vitest';
import {
  branchType,
  MoneyHeld,
  Noticed,
  Refunded,
  Restocked,
  StockHeld,
  type Wanted,
} from '../test/branches.js';
import { saga, type Saga } from './definition.js';

const input = (order: Wanted): Wanted => order;
const order = (): Saga<Wanted> => saga<Wanted>('order', 1);

describe('a definition that cannot work fails while it is declared, with the branch’s name', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'a branch that is declared twice',
      () => order().branch('a', StockHeld, input).branch('a', MoneyHeld, input),
      /order v1: branch "a" is declared twice/,
    ],
    [
      'an order after a branch that is not there',
      () => order().branch('a', StockHeld, input, { after: ['b'] }),
      /branch "a" comes after "b", which is not declared before it/,
    ],
    [
      'a cycle',
      () =>
        order()
          .branch('a', StockHeld, input, { after: ['b'] })
          .branch('b', MoneyHeld, input, { after: ['a'] }),
      /branch "a" comes after "b"/,
    ],
    [
      'a branch after itself',
      () => order().branch('a', StockHeld, input, { after: ['a'] }),
      /branch "a" comes after "a"/,
    ],
    [
      'a compensatable after the pivot',
      () => order().branch('refund', Refunded, input).branch('restock', Restocked, input),
      /branch "restock" is compensatable and comes after the pivot "refund"/,
    ],
    [
      'two pivots',
      () => order().branch('a', Refunded, input).branch('b', Refunded, input),
      /branch "b" is a second pivot, beside "a"/,
    ],
    [
      'a branch that nobody owns',
      () => order().branch('a', undefined as never, input),
      /branch "a" has no contract/,
    ],
    [
      'an order for the pivot',
      () =>
        order()
          .branch('a', StockHeld, input)
          .branch('p', Refunded, input, { after: ['a'] }),
      /branch "p" is the pivot/,
    ],
    [
      'an order for a retriable',
      () =>
        order()
          .branch('a', StockHeld, input)
          .branch('n', Noticed, input, { after: ['a'] }),
      /branch "n" is retriable/,
    ],
    [
      'an order after a retriable',
      () =>
        order()
          .branch('n', Noticed, input)
          .branch('a', StockHeld, input, { after: ['n'] }),
      /branch "a" comes after "n", which is retriable/,
    ],
    [
      'a name that is none',
      () => order().branch('A b', StockHeld, input),
      /branch "A b" is called like this/,
    ],
    ['nobody who votes', () => order().branch('n', Noticed, input).checkFor('shop'), /no branch that votes/],
    [
      'a service that may not ask',
      () => order().branch('a', StockHeld, input).checkFor('elsewhere'),
      /branch "a" elsewhere is not among those who may ask for stock.StockHeld/,
    ],
    ['no time', () => order().within({ prepareMs: 0 }), /prepareMs is more than 0/],
    ['a version that is none', () => saga('order', 0), /a version is 1, 2, 3/],
  ])('%s', (_, declare, said) => {
    expect(declare).toThrow(said);
  });

  it('more branches than a saga may have', () => {
    let all = order();
    for (let i = 0; i < 32; i++) all = all.branch(`b${i}`, branchType('stock', `B${i}`), input);
    expect(() => all.branch('more', StockHeld, input)).toThrow(/branch "more" is one too many/);
  });
});

it('a declaration is not changed by what is declared from it', () => {
  const first = order().branch('a', StockHeld, input);
  first.branch('b', MoneyHeld, input);
  expect(first.branches.map(({ name }) => name)).toEqual(['a']);
});
