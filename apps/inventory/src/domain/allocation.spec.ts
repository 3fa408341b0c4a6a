import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { allocate, totals } from './allocation.js';
import { pieceKey, type Line } from './basket.js';

const line = (sku: string, size: string, quantity = 1): Line => ({ sku, size, quantity });
const shelf = (...lines: Line[]): Map<string, number> =>
  new Map(lines.map((each) => [pieceKey(each), each.quantity]));

const of = (lines: readonly Line[], key: string): number =>
  lines.filter((each) => pieceKey(each) === key).reduce((sum, { quantity }) => sum + quantity, 0);

/** Two SKUs in two sizes, few of each: asks get into each other's way. One of five lines is of no garment. */
const lineArb = fc.record({
  sku: fc.constantFrom('A', 'A', 'B', 'B', 'none'),
  size: fc.constantFrom('M', 'L'),
  quantity: fc.integer({ min: 0, max: 4 }),
});
const basketsArb = fc.array(fc.array(lineArb, { maxLength: 4 }), { maxLength: 12 });
const onHandArb = fc
  .array(fc.nat(9), { minLength: 4, maxLength: 4 })
  .map(([am = 0, al = 0, bm = 0, bl = 0]) =>
    shelf(line('A', 'M', am), line('A', 'L', al), line('B', 'M', bm), line('B', 'L', bl)),
  );

it('A1: gives what asking one by one would give', () => {
  fc.assert(
    fc.property(basketsArb, onHandArb, (baskets, onHand) => {
      const left = new Map(onHand);
      const oneByOne = baskets.map((lines) => {
        const { refusals, taken } = allocate([lines], left);
        for (const each of taken) left.set(pieceKey(each), (left.get(pieceKey(each)) ?? 0) - each.quantity);
        return refusals[0];
      });
      expect(allocate(baskets, onHand).refusals).toEqual(oneByOne);
    }),
  );
});

it('A2, A3: takes all lines of the served and nothing of the others, never more than is there', () => {
  fc.assert(
    fc.property(basketsArb, onHandArb, (baskets, onHand) => {
      const { refusals, taken } = allocate(baskets, onHand);
      const served = baskets.filter((_, index) => refusals[index] === undefined).flat();
      for (const [key, pieces] of onHand) {
        expect(of(taken, key)).toBe(of(served, key));
        expect(of(taken, key)).toBeLessThanOrEqual(pieces);
      }
      expect(new Set(taken.map(pieceKey)).size).toBe(taken.length);
      expect(taken.every((each) => onHand.has(pieceKey(each)))).toBe(true);
    }),
  );
});

it('A3: a sold-out refusal is true: the line that it names was not there any more', () => {
  fc.assert(
    fc.property(basketsArb, onHandArb, (baskets, onHand) => {
      const { refusals } = allocate(baskets, onHand);
      const left = new Map(onHand);
      for (const [index, lines] of baskets.entries()) {
        const refusal = refusals[index];
        const first = lines.find((each) => each.quantity > (left.get(pieceKey(each)) ?? 0));
        if (refusal?.code === 'sold-out')
          expect(refusal.reason).toContain(`size ${first?.size} of ${first?.sku} is sold out`);
        if (!refusal)
          for (const each of lines) left.set(pieceKey(each), (left.get(pieceKey(each)) ?? 0) - each.quantity);
      }
    }),
  );
});

it('the onHand that it was given stays as it was', () => {
  const onHand = shelf(line('A', 'M', 3));
  allocate([[line('A', 'M', 2)]], onHand);
  expect(onHand).toEqual(shelf(line('A', 'M', 3)));
});

it.each([
  ['bad-basket', 'the basket is empty', []],
  [
    'bad-basket',
    'the basket has 21 lines: at most 20 are taken',
    Array.from({ length: 21 }, (_, n) => line('A', `${n}`)),
  ],
  ['bad-basket', '21 pieces of A in size M: 1 to 20 can be bought at once', [line('A', 'M', 21)]],
  ['bad-basket', '1.5 pieces of A in size M: 1 to 20 can be bought at once', [line('A', 'M', 1.5)]],
  ['bad-basket', 'A in size M stands twice in the basket', [line('A', 'M'), line('A', 'M')]],
  ['bad-basket', 'a SKU or a size is not written as one', [line('x'.repeat(41), 'M')]],
  ['unknown-garment', 'there is no A in size L', [line('A', 'M'), line('A', 'L'), line('A', 'S')]],
  ['sold-out', 'size S of A is sold out', [line('A', 'M'), line('A', 'S')]],
  ['sold-out', 'size M of A is sold out but for 3: 4 were asked for', [line('A', 'M', 4)]],
])('refuses as %s: %s', (code, reason, lines) => {
  const onHand = shelf(line('A', 'M', 3), line('A', 'S', 0));
  expect(allocate([lines], onHand)).toEqual({ refusals: [{ code, reason }], taken: [] });
});

it('sums up lines of the same SKU and size', () => {
  expect(totals([line('A', 'M', 2), line('A', 'L'), line('A', 'M', 3)])).toEqual([
    line('A', 'M', 5),
    line('A', 'L', 1),
  ]);
});
