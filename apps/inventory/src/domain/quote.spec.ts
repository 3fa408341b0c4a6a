import { expect, it } from 'vitest';
import { quoteOf } from './quote.js';

const of = (sku: string, quantity: number, priceCents: number) => ({
  sku,
  size: 'M',
  quantity,
  price: { name: sku, priceCents },
});

it('adds up in whole cents', () => {
  const quote = quoteOf([of('A', 3, 1_999), of('B', 20, 34_999)]);
  expect(quote.lines.map(({ priceCents }) => priceCents)).toEqual([5_997, 699_980]);
  expect(quote.totalCents).toBe(705_977);
});
