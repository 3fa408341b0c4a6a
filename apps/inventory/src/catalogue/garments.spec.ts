import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readCatalogue } from '../domain/catalogue-table.js';
import type { CatalogueGarment } from '../domain/garment.js';
import { CATEGORIES, CATEGORY_NAMES, type Category } from '../domain/vocabulary.js';

const FILE = new URL('../../catalogue/garments.tsv', import.meta.url);
const garments = readCatalogue(readFileSync(FILE, 'utf8'));

it('has 403 garments, each under a SKU and a name of its own', () => {
  expect(garments.length).toBe(403);
  expect(new Set(garments.map(({ sku }) => sku)).size).toBe(403);
  expect(new Set(garments.map(({ name }) => name)).size).toBe(403);
});

it.each(CATEGORY_NAMES)('has at least 15 of %s, at prices of such', (category) => {
  const [least, most] = CATEGORIES[category].priceCents;
  const own = garments.filter((garment) => garment.category === category);
  expect(own.length).toBeGreaterThanOrEqual(15);
  expect(own.filter(({ priceCents }) => priceCents < least || priceCents > most)).toEqual([]);
});

it('has every size of its category for each garment, and nearly all in stock', () => {
  for (const { category, stock } of garments.filter((garment) => garment.category !== 'BELT'))
    expect(stock.map(({ size }) => size)).toEqual(CATEGORIES[category].sizes);
  const pieces = garments.flatMap(({ stock }) => stock.map((each) => each.pieces));
  const soldOut = pieces.filter((each) => each === 0).length;
  expect(soldOut).toBeGreaterThan(0);
  expect(soldOut / pieces.length).toBeLessThan(0.1);
  expect(garments.filter(({ stock }) => stock.every((each) => each.pieces === 0))).toEqual([]);
});

type Is = (garment: CatalogueGarment) => boolean;

const ofCategory =
  (...names: Category[]): Is =>
  ({ category }) =>
    names.includes(category);
const called =
  (words: RegExp): Is =>
  ({ name }) =>
    words.test(name);

const WARM_CLOTH = /down|cashmere|lambswool|tweed|flannel|corduroy|duffle|chunky|snow|roll-neck/i;
const CHECKS = /check|gingham|tartan|houndstooth/i;
const PRINTS = /print|floral|paisley|argyle|fair isle|nordic|embroidered|herringbone/i;

function inSummerOnly({ seasons }: CatalogueGarment): boolean {
  return seasons.every((season) => season === 'SPRING' || season === 'SUMMER');
}

function notInSummer({ seasons }: CatalogueGarment): boolean {
  return !seasons.includes('SUMMER');
}

function isLeisure({ formality }: CatalogueGarment): boolean {
  return formality === 'CASUAL' || formality === 'SMART_CASUAL';
}

it.each<[what: string, which: Is, so: Is]>([
  ['shorts are worn in summer, not in winter', ofCategory('SHORTS'), inSummerOnly],
  ['shorts and jeans are not for the office', ofCategory('SHORTS', 'JEANS'), isLeisure],
  ['what one swims in is casual', called(/swim|beach/i), ({ formality }) => formality === 'CASUAL'],
  ['linen is for spring and summer', called(/linen/i), inSummerOnly],
  ['coats are not worn in summer', ofCategory('COAT'), notInSummer],
  ['boots are not worn in summer', ofCategory('BOOTS'), notInSummer],
  ['what is made of warm cloth is not worn in summer', called(WARM_CLOTH), notInSummer],
  ['evening wear is formal', called(/evening|tuxedo|dinner/i), ({ formality }) => formality === 'FORMAL'],
  ['denim is never formal', called(/denim|jeans/i), isLeisure],
  ['stripes are striped', called(/stripe|seersucker/i), ({ pattern }) => pattern === 'STRIPED'],
  ['checks are checked', called(CHECKS), ({ pattern }) => pattern === 'CHECKED'],
  ['dots are dotted', called(/dot\b/i), ({ pattern }) => pattern === 'DOTTED'],
  ['prints are something else', called(PRINTS), ({ pattern }) => pattern === 'OTHER'],
  [
    'a name tells the colours',
    () => true,
    ({ name, colours }) => colours.every((each) => name.includes(each)),
  ],
])('%s', (_, which, so) => {
  const those = garments.filter(which);
  expect(those.length).toBeGreaterThan(0);
  expect(those.filter((each) => !so(each)).map(({ sku, name }) => `${sku} ${name}`)).toEqual([]);
});
