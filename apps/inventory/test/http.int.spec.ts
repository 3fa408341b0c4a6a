import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCatalogue } from '../src/domain/catalogue-table.js';
import type { CatalogueGarment } from '../src/domain/garment.js';
import { ask, item, runningInventory, stockUp, type RunningInventory } from './running.js';

const GARMENTS = readCatalogue(readFileSync(new URL('../catalogue/garments.tsv', import.meta.url), 'utf8'));

let inventory: RunningInventory;
beforeAll(async () => {
  inventory = await runningInventory();
});
afterAll(() => inventory.end());

interface Answer {
  status: number;
  type: string | null;
  body: Record<string, unknown>;
}

async function call(path: string, options: RequestInit = {}): Promise<Answer> {
  const response = await fetch(inventory.service.url + path, options);
  const body = (await response.json()) as Answer['body'];
  return { status: response.status, type: response.headers.get('content-type'), body };
}

function quote(body: unknown): Promise<Answer> {
  return call('/quotes', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** All pages of a list. */
async function skus(query: string): Promise<string[][]> {
  const pages: string[][] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const { status, body } = await call(`/garments?${query}${cursor ? `&cursor=${cursor}` : ''}`);
    expect(status).toBe(200);
    pages.push((body['garments'] as { sku: string }[]).map(({ sku }) => sku));
    cursor = body['nextCursor'] as string | null;
  }
  return pages;
}

it('lists every garment once, by SKU, page by page', async () => {
  const pages = await skus('limit=30');
  expect(pages.map(({ length }) => length)).toEqual([...Array.from({ length: 13 }, () => 30), 13]);
  expect(pages.flat()).toEqual(GARMENTS.map(({ sku }) => sku).toSorted());
});

it('the last page may be full', async () => {
  expect((await skus('category=belt&limit=19')).map(({ length }) => length)).toEqual([19]);
});

type Filter = [query: string, holds: (garment: CatalogueGarment) => boolean];
const FILTERS: Filter[] = [
  ['category=t-shirt', ({ category }) => category === 'T_SHIRT'],
  ['colour=light%20blue', ({ colours }) => colours.includes('light blue')],
  ['formality=smart-casual', ({ formality }) => formality === 'SMART_CASUAL'],
  ['season=winter', ({ seasons }) => seasons.includes('WINTER')],
  ['size=W32', ({ stock }) => stock.some(({ size }) => size === 'W32')],
  ['maxPrice=2990', ({ priceCents }) => priceCents <= 2_990],
  [
    'category=coat&colour=camel&season=winter&formality=business&size=M&maxPrice=30000',
    ({ sku }) => sku === 'COA-101-CAM',
  ],
];

it.each(FILTERS)('shows what has %s, and nothing else', async (query, holds) => {
  const found = (await skus(`${query}&limit=100`)).flat();
  expect(found.length).toBeGreaterThan(0);
  expect(found).toEqual(
    GARMENTS.filter(holds)
      .map(({ sku }) => sku)
      .toSorted(),
  );
});

it.each([
  ['category=T_SHIRT', 'category'],
  ['colour=mauve', 'colour'],
  ['colour=red&colour=blue', 'colour'],
  ['size=m', 'size'],
  ['maxPrice=0', 'maxPrice'],
  ['maxPrice=1.5', 'maxPrice'],
  ['limit=101', 'limit'],
  ['limit=', 'limit'],
  ["cursor=' or 1=1", 'cursor'],
  ['color=red', ''],
])('refuses %s as a problem that says where', async (query, path) => {
  const answer = await call(`/garments?${query}`);
  expect(answer).toMatchObject({ status: 400, type: expect.stringContaining('application/problem+json') });
  expect(answer.body).toMatchObject({ type: 'urn:aura:problem:invalid', errors: [{ path }] });
});

it('shows a garment with what can be bought of each size now', async () => {
  const { db, participant, transact } = inventory;
  await stockUp(db, 'BEL-101-BLK', 'M', 5);
  await stockUp(db, 'BEL-101-BLK', 'XL', 0);
  await transact((work) => participant.prepare(ask(item('BEL-101-BLK', 'M', 2)), work));
  const { status, body } = await call('/garments/BEL-101-BLK');
  expect([status, body]).toEqual([
    200,
    {
      sku: 'BEL-101-BLK',
      name: 'Leather dress belt, black',
      category: 'belt',
      colours: ['black'],
      pattern: 'plain',
      formality: 'business',
      seasons: ['spring', 'summer', 'autumn', 'winter'],
      priceCents: 4_990,
      currency: 'EUR',
      offered: true,
      stock: [
        { size: 'S', onHand: expect.any(Number) },
        { size: 'M', onHand: 3 },
        { size: 'L', onHand: expect.any(Number) },
        { size: 'XL', onHand: 0 },
      ],
    },
  ]);
});

it.each(['/garments/SKU-7', '/garments/%00', '/garments/bel-101-blk'])(
  'says 404 to a garment that is not there: %s',
  async (path) => {
    const answer = await call(path);
    expect(answer).toMatchObject({ status: 404, type: expect.stringContaining('application/problem+json') });
  },
);

it('says what a basket costs, also of what is sold out', async () => {
  await stockUp(inventory.db, 'SHI-101-WHT', 'M', 0);
  const { status, body } = await quote({ items: [item('SHI-101-WHT', 'M', 2), item('JEA-101-BLU', 'W32')] });
  expect([status, body]).toEqual([
    200,
    {
      currency: 'EUR',
      lines: [
        {
          ...item('SHI-101-WHT', 'M', 2),
          name: 'Oxford shirt, white',
          unitPriceCents: 4_990,
          priceCents: 9_980,
        },
        {
          ...item('JEA-101-BLU', 'W32'),
          name: 'Straight jeans, blue',
          unitPriceCents: 6_990,
          priceCents: 6_990,
        },
      ],
      totalCents: 16_970,
    },
  ]);
});

it('has no price for what it does not have', async () => {
  const answer = await quote({ items: [item('SHI-101-WHT', 'M'), item('SHI-101-WHT', 'W32')] });
  expect(answer).toMatchObject({
    status: 422,
    type: expect.stringContaining('application/problem+json'),
    body: {
      type: 'urn:aura:problem:unknown-garment',
      errors: [{ path: 'items.1', message: 'there is no SHI-101-WHT in size W32' }],
    },
  });
});

const lines = (count: number): object[] =>
  GARMENTS.slice(0, count).map(({ sku, stock }) => item(sku, stock[0]?.size ?? ''));

it.each([
  ['no basket', {}, 'items'],
  ['an empty one', { items: [] }, 'items'],
  ['21 lines', { items: lines(21) }, 'items'],
  ['a line twice', { items: [item('SHI-101-WHT', 'M'), item('SHI-101-WHT', 'M', 2)] }, 'items'],
  ['0 pieces', { items: [item('SHI-101-WHT', 'M', 0)] }, 'items.0.quantity'],
  ['21 pieces', { items: [item('SHI-101-WHT', 'M', 21)] }, 'items.0.quantity'],
  ['half a piece', { items: [item('SHI-101-WHT', 'M', 0.5)] }, 'items.0.quantity'],
  ['no SKU at all', { items: [item('a b\0', 'M')] }, 'items.0.sku'],
])('refuses %s, and says where it is wrong', async (_, body, path) => {
  const answer = await quote(body);
  expect(answer).toMatchObject({
    status: 400,
    body: { type: 'urn:aura:problem:invalid', errors: [{ path }] },
  });
});

it('takes a basket of 20 lines', async () => {
  expect((await quote({ items: lines(20) })).status).toBe(200);
});

it('refuses what is no JSON', async () => {
  expect((await quote('{')).status).toBe(400);
  expect((await call('/quotes', { method: 'POST' })).status).toBe(400);
});

it('has an OpenAPI document of its routes and filters', async () => {
  const { body } = await call('/openapi.json');
  const paths = body['paths'] as Record<string, Record<string, { parameters: { name: string }[] }>>;
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/garments', '/garments/{sku}', '/quotes']));
  expect(paths['/garments']?.['get']?.parameters).toEqual(
    expect.arrayContaining([
      {
        name: 'limit',
        in: 'query',
        required: false,
        schema: { type: 'integer', minimum: 1, maximum: 100, default: 50 },
      },
      {
        name: 'season',
        in: 'query',
        required: false,
        schema: { type: 'string', enum: ['spring', 'summer', 'autumn', 'winter'] },
      },
    ]),
  );
});
