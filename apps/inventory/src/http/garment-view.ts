import { z } from 'zod';
import { CODE } from '../domain/basket.js';
import { CATEGORY_NAMES, COLOURS, FORMALITIES, PATTERNS, SEASONS, SIZES } from '../domain/vocabulary.js';
import type { Garment } from '../entities/garment.entity.js';
import type { Stock } from '../entities/stock.entity.js';

/** `SMART_CASUAL` -> `smart-casual`: the symbols of the catalogue become the words of the API. */
const wordOf = (symbol: string): string => symbol.toLowerCase().replaceAll('_', '-');
const symbolOf = (word: string): string => word.toUpperCase().replaceAll('-', '_');
const wordsOf = (symbols: readonly string[]) => z.enum(symbols.map(wordOf));

const MOST_PER_PAGE = 100;

/** A whole number in a query, which is text. Numbers past the integers of SQL are none. */
const number = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** What `GET /garments` may be asked. Unknown names are refused: a misspelt filter would filter nothing. */
export const GarmentsAsked = z.strictObject({
  category: wordsOf(CATEGORY_NAMES).transform(symbolOf).optional(),
  colour: z.enum(COLOURS).optional(),
  formality: wordsOf(FORMALITIES).transform(symbolOf).optional(),
  season: wordsOf(SEASONS).transform(symbolOf).optional(),
  size: z.enum(SIZES).optional(),
  maxPrice: number(1, 10_000_000).optional(),
  cursor: z.string().regex(CODE).optional(),
  limit: number(1, MOST_PER_PAGE).default(50),
});
export type GarmentsAsked = z.output<typeof GarmentsAsked>;

const shape = {
  sku: z.string(),
  name: z.string(),
  category: wordsOf(CATEGORY_NAMES),
  colours: z.array(z.enum(COLOURS)).describe('The one that covers most first.'),
  pattern: wordsOf(PATTERNS),
  formality: wordsOf(FORMALITIES),
  seasons: z.array(wordsOf(SEASONS)),
  priceCents: z.int(),
  currency: z.literal('EUR'),
};

/** The forms of the answers, for the OpenAPI page. */
export const GarmentsPage = z.object({
  garments: z.array(z.object({ ...shape, sizes: z.array(z.enum(SIZES)) })),
  nextCursor: z.string().nullable().describe('For the next page; null on the last one.'),
});
export type GarmentsPage = z.output<typeof GarmentsPage>;

export const GarmentWithStock = z.object({
  ...shape,
  offered: z.boolean().describe('False: it has left the catalogue and can’t be bought.'),
  stock: z.array(z.object({ size: z.enum(SIZES), onHand: z.int().describe('That can be bought now.') })),
});
export type GarmentWithStock = z.output<typeof GarmentWithStock>;

/** What a list shows of a garment. */
export function listed(garment: Garment): GarmentsPage['garments'][number] {
  return { ...shown(garment), sizes: garment.sizes };
}

/** A garment with its stock in the sizes that are offered, smallest first. */
export function withStock(garment: Garment, stock: readonly Stock[]): GarmentWithStock {
  const onHand = new Map(stock.map((row) => [row.size, row.onHand - row.inReturn]));
  return {
    ...shown(garment),
    offered: garment.offered,
    stock: garment.sizes.map((size) => ({ size, onHand: onHand.get(size) ?? 0 })),
  };
}

function shown(garment: Garment): Omit<GarmentsPage['garments'][number], 'sizes'> {
  const { sku, name, category, colours, pattern, formality, seasons, priceCents } = garment;
  return {
    sku,
    name,
    category: wordOf(category),
    colours,
    pattern: wordOf(pattern),
    formality: wordOf(formality),
    seasons: seasons.map(wordOf),
    priceCents,
    currency: 'EUR',
  };
}
