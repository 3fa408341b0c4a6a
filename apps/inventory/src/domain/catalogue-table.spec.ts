import { expect, it } from 'vitest';
import { CatalogueError, COLUMNS, readCatalogue } from './catalogue-table.js';

const HEADER = COLUMNS.join('\t');
const GOOD: Record<(typeof COLUMNS)[number], string> = {
  sku: 'SHI-101-WHT',
  name: 'Oxford shirt, white',
  category: 'SHIRT',
  colours: 'white',
  pattern: 'PLAIN',
  formality: 'SMART_CASUAL',
  seasons: 'SPRING AUTUMN',
  price_cents: '4990',
  stock: 'S:0 M:12',
};
const lineOf = (change: Partial<typeof GOOD>): string => Object.values({ ...GOOD, ...change }).join('\t');

/** What is wrong with a catalogue of these lines. */
function problems(...lines: string[]): readonly string[] {
  try {
    readCatalogue(lines.join('\n'));
  } catch (error) {
    if (error instanceof CatalogueError) return error.problems;
  }
  throw new Error('it was taken');
}

it('a catalogue is read as it is written', () => {
  const two = {
    sku: 'SHI-104-RED',
    name: 'Flannel shirt',
    colours: 'light blue, black',
    pattern: 'CHECKED',
  };
  expect(readCatalogue(`${HEADER}\n${lineOf({})}\n${lineOf(two)}\n`)).toEqual([
    {
      sku: 'SHI-101-WHT',
      name: 'Oxford shirt, white',
      category: 'SHIRT',
      colours: ['white'],
      pattern: 'PLAIN',
      formality: 'SMART_CASUAL',
      seasons: ['SPRING', 'AUTUMN'],
      priceCents: 4_990,
      stock: [
        { size: 'S', pieces: 0 },
        { size: 'M', pieces: 12 },
      ],
    },
    expect.objectContaining({ colours: ['light blue', 'black'] }),
  ]);
});

it.each<[string, Partial<typeof GOOD>, string]>([
  ['another SKU', { sku: 'shirt 7' }, 'must look like'],
  ['no name', { name: '' }, 'name'],
  ['a category of its own', { category: 'CAPE' }, 'category'],
  ['a colour that no photo has', { colours: 'mauve' }, 'colours[0]'],
  ['a colour twice', { colours: 'white, white', pattern: 'STRIPED' }, 'a colour stands twice'],
  ['a plain one with two colours', { colours: 'white, navy' }, 'PLAIN with 2 colours'],
  ['stripes of one colour', { pattern: 'STRIPED' }, 'STRIPED with 1 colours'],
  ['another pattern', { pattern: 'TARTAN' }, 'pattern'],
  ['another formality', { formality: 'UNKNOWN' }, 'formality'],
  ['another season', { seasons: 'SPRING MONSOON' }, 'seasons[1]'],
  ['no price', { price_cents: '' }, 'priceCents'],
  ['a price in euros', { price_cents: '49.90' }, 'priceCents'],
  ['a price of ten coats', { price_cents: '499000' }, '499000 cents is no price of a SHIRT'],
  ['a size of trousers', { stock: 'M:3 W32:5' }, 'a SHIRT has no size W32'],
  ['a size twice', { stock: 'M:3 M:5' }, 'a size stands twice'],
  ['a size without pieces', { stock: 'M' }, 'stock[0].pieces'],
  ['less than nothing', { stock: 'M:-1' }, 'stock[0].pieces'],
  ['a cell too many', { stock: 'M:1\tand more' }, 'a tenth cell'],
])('a catalogue with %s is refused', (_, change, says) => {
  const found = problems(HEADER, lineOf(change));
  expect(found).toEqual([expect.stringMatching(/^line 2: /)]);
  expect(found[0]).toContain(says);
});

it('a catalogue with the same SKU or the same name twice is refused', () => {
  expect(problems(HEADER, lineOf({}), lineOf({}))).toEqual([
    'line 3: SHI-101-WHT stands on line 2 already',
    'line 3: Oxford shirt, white stands on line 2 already',
  ]);
});

it('a catalogue without its header, or without a garment, is refused', () => {
  expect(problems(lineOf({}))).toEqual([expect.stringContaining('line 1 must name sku, name')]);
  expect(problems(HEADER)).toEqual(['it has no garment']);
});

it('a catalogue is refused with all that is wrong, of which it names twenty', () => {
  const lines = Array.from({ length: 25 }, () => lineOf({ pattern: 'TARTAN' }));
  expect(problems(HEADER, ...lines).length).toBe(25);
  expect(new CatalogueError(problems(HEADER, ...lines)).message).toMatch(/line 21: .*; and 5 more$/);
});
