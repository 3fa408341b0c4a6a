import { describe, expect, it } from 'vitest';
import type { Line } from './basket.js';
import { judgeReturns, returnedTotals, type SoldByPurchase } from './returning.js';

const line = (sku: string, quantity = 1): Line => ({ sku, size: 'M', quantity });
const one = (...items: Line[]) => ({ purchaseId: 'p', items });
const sold = (...pieces: [sku: string, sold: number, returned: number][]): SoldByPurchase =>
  new Map([['p', new Map(pieces.map(([sku, of, returned]) => [`${sku} M`, { sold: of, returned }]))]]);
const said = (items: Line[], what: SoldByPurchase): string | undefined => {
  const [refusal] = judgeReturns([one(...items)], what);
  return refusal && `${refusal.code}: ${refusal.reason}`;
};

describe('a return', () => {
  it('of what was sold is served, also in parts', () => {
    expect(said([line('A', 2)], sold(['A', 2, 0], ['B', 1, 0]))).toBeUndefined();
    expect(said([line('A')], sold(['A', 2, 1]))).toBeUndefined();
  });

  it.each([
    ['bad-return: what comes back is no list of pieces: the basket is empty', [], sold(['A', 1, 0])],
    ['unknown-purchase: nothing was sold in purchase p', [line('A')], new Map()],
    ['not-sold: nothing of C in size M was sold in this purchase', [line('C')], sold(['A', 1, 0])],
    ['already-returned: this purchase has already been returned', [line('A')], sold(['A', 2, 2])],
    [
      'already-returned: size M of A has already been returned',
      [line('B'), line('A')],
      sold(['A', 2, 2], ['B', 1, 0]),
    ],
    [
      "too-many: 2 of A in size M were sold in this purchase: 3 can't come back",
      [line('A', 3)],
      sold(['A', 2, 0]),
    ],
    [
      "too-many: 2 of A in size M were sold in this purchase, and 1 came back before: 2 can't come back",
      [line('A', 2)],
      sold(['A', 2, 1]),
    ],
  ] as const)('is refused as %s', (reason, items, what) => {
    expect(said([...items], what)).toBe(reason);
  });

  it('R1, R2: is served after those before it, whole or not at all', () => {
    const asks = [one(line('A')), one(line('B'), line('A', 2)), one(line('A')), one(line('B'))];
    const codes = judgeReturns(asks, sold(['A', 2, 0], ['B', 1, 0])).map((refusal) => refusal?.code);
    expect(codes).toEqual([undefined, 'too-many', undefined, undefined]);
  });

  it('is summed up by purchase and piece', () => {
    const other = { purchaseId: 'q', items: [line('A')] };
    expect(returnedTotals([one(line('A')), other, one(line('B'), line('A', 2))])).toEqual([
      { ...line('A', 3), purchaseId: 'p' },
      { ...line('B'), purchaseId: 'p' },
      { ...line('A'), purchaseId: 'q' },
    ]);
  });
});
