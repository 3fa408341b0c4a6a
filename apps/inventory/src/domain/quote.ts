import type { Line } from './basket.js';

export interface QuoteLine extends Line {
  readonly name: string;
  readonly unitPriceCents: number;
  readonly priceCents: number;
}

export interface Quote {
  readonly currency: 'EUR';
  readonly lines: readonly QuoteLine[];
  readonly totalCents: number;
}

/** What a line costs, as the catalogue says. */
export interface Price {
  readonly name: string;
  readonly priceCents: number;
}

/** The price of a basket whose lines are all known. In whole cents: nothing is rounded. */
export function quoteOf(lines: readonly (Line & { readonly price: Price })[]): Quote {
  const priced = lines.map(({ sku, size, quantity, price }) => ({
    sku,
    size,
    quantity,
    name: price.name,
    unitPriceCents: price.priceCents,
    priceCents: price.priceCents * quantity,
  }));
  return {
    currency: 'EUR',
    lines: priced,
    totalCents: priced.reduce((sum, { priceCents }) => sum + priceCents, 0),
  };
}
