/** Pure: which garments go with the one in the photo, and which size of them. */
import type { Analysis } from './photo-run.js';

/** A garment as inventory lists it, as far as it is looked at. */
export interface Garment {
  readonly sku: string;
  readonly name: string;
  readonly colours: readonly string[];
  readonly pattern: string;
}

export interface SizeInStock {
  readonly size: string;
  readonly onHand: number;
}

export interface Wish {
  readonly formality: string;
  /** One garment of each. */
  readonly categories: readonly string[];
}

/** What is worn with a shirt; every level of formality has these in the catalogue. */
const WORN: Readonly<Record<string, readonly string[]>> = {
  casual: ['jeans', 'shoes', 'jacket'],
  'smart-casual': ['trousers', 'shoes', 'blazer'],
  business: ['trousers', 'shoes', 'blazer'],
  formal: ['trousers', 'shoes', 'coat'],
};
/** They go with every colour. */
const QUIET = new Set(['black', 'white', 'grey', 'navy', 'beige', 'camel', 'brown']);
/** Of somebody whose size is not known: in the middle. */
const USUAL_SIZES = new Set(['M', 'W32', '42', 'ONE_SIZE']);

/** What to look for: as formal as the photo is; casual where nothing can be told from it. */
export function wishFor(result: Analysis['result']): Wish {
  const level = result?.formality.level ?? 'casual';
  const formality = level in WORN ? level : 'casual';
  return { formality, categories: WORN[formality] ?? [] };
}

/**
 * The garments of one category, what suits best first. `seen`: the colours of the photo, most first; `worn`:
 * those that were chosen already, since one colour from head to foot is a uniform.
 */
export function bySuiting<G extends Garment>(
  garments: readonly G[],
  seen: readonly string[],
  worn: readonly string[],
): G[] {
  const [main] = seen;
  const score = ({ colours: [colour = '', ...more], pattern }: G): number =>
    (QUIET.has(colour) && colour !== main ? 4 : 0) +
    (seen.slice(1).includes(colour) ? 2 : 0) -
    (worn.includes(colour) ? 3 : 0) +
    (pattern === 'plain' && more.length === 0 ? 1 : 0);
  return garments.toSorted((a, b) => score(b) - score(a) || (a.sku < b.sku ? -1 : 1));
}

/** A size that is there: the usual one, else the one with most pieces; undefined where all is sold out. */
export function sizeFrom(stock: readonly SizeInStock[]): string | undefined {
  const there = stock.filter(({ onHand }) => onHand > 0);
  const usual = there.find(({ size }) => USUAL_SIZES.has(size));
  return (usual ?? there.toSorted((a, b) => b.onHand - a.onHand)[0])?.size;
}
