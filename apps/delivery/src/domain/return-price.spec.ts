import { expect, it } from 'vitest';
import { returnPrice, type ParcelLine, type ReturnedLine } from './return-price.js';

const contents: ParcelLine[] = [
  { sku: 'A', size: 'M', quantity: 2, unitPriceCents: 4_990 },
  { sku: 'A', size: 'L', quantity: 1, unitPriceCents: 5_490 },
  { sku: 'B', size: 'M', quantity: 1, unitPriceCents: 995 },
];
const line = (sku: string, size: string, quantity = 1): ReturnedLine => ({ sku, size, quantity });

it('is what was paid, to the cent', () => {
  expect(returnPrice([line('A', 'M', 2), line('B', 'M')], contents)).toBe(10_975);
  expect(returnPrice([line('A', 'L')], contents)).toBe(5_490);
});

it('is nobody’s for what was not sold: it names the piece', () => {
  expect(returnPrice([line('A', 'M'), line('SKU-7', 'M')], contents)).toEqual({
    code: 'not-in-parcel',
    reason: 'nothing of SKU-7 in size M was sold in this purchase',
  });
  expect(returnPrice([line('B', 'L')], contents)).toMatchObject({ code: 'not-in-parcel' });
});

it('can’t be said of a parcel whose contents nobody told', () => {
  expect(returnPrice([line('A', 'M')], [])).toMatchObject({ code: 'contents-unknown' });
});
