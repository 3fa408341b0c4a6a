import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { CatalogueLoader, type Loaded } from '../src/catalogue/catalogue-loader.js';
import { readCatalogue } from '../src/domain/catalogue-table.js';
import type { CatalogueGarment } from '../src/domain/garment.js';
import { ask, counts, item, runningInventory, type RunningInventory } from './running.js';

const GARMENTS = readCatalogue(readFileSync(new URL('../catalogue/garments.tsv', import.meta.url), 'utf8'));
const SIZES = GARMENTS.flatMap(({ stock }) => stock).length;
const NOTHING: Loaded = { added: 0, changed: 0, withdrawn: 0, sizes: 0 };
const SHIRT = 'SHI-101-WHT';

let inventory: RunningInventory;
beforeAll(async () => {
  inventory = await runningInventory();
});
afterAll(() => inventory.end());
beforeEach(() => load(GARMENTS));

const load = (garments: readonly CatalogueGarment[]): Promise<Loaded> =>
  inventory.service.app.get(CatalogueLoader).load(garments);

/** The catalogue with another shirt in it. */
const withShirt = (change: Partial<CatalogueGarment>): CatalogueGarment[] =>
  GARMENTS.map((garment) => (garment.sku === SHIRT ? { ...garment, ...change } : garment));

async function shirt(): Promise<Record<string, unknown>> {
  const { rows } = await inventory.db.query('select * from garment where sku = $1', [SHIRT]);
  return rows[0] as Record<string, unknown>;
}

/** Which version each row is: another one where anything wrote it. */
async function versions(): Promise<string[]> {
  const { rows } = await inventory.db.query<{ row: string }>(
    `select concat(sku, ' ', xmin) as row from garment union all
     select concat(sku, ' ', size, ' ', xmin) from stock order by row`,
  );
  return rows.map(({ row }) => row);
}

it('the first start brings in every garment, and the pieces of every size', async () => {
  const { rows } = await inventory.db.query(
    `select (select count(*)::int from garment where offered) as garments, count(*)::int as sizes,
            sum(on_hand)::int as pieces, sum(received)::int as received
       from stock`,
  );
  const pieces = GARMENTS.flatMap(({ stock }) => stock).reduce((sum, each) => sum + each.pieces, 0);
  expect(rows).toEqual([{ garments: GARMENTS.length, sizes: SIZES, pieces, received: pieces }]);
  expect(await shirt()).toEqual({
    sku: SHIRT,
    name: 'Oxford shirt, white',
    category: 'SHIRT',
    colours: ['white'],
    pattern: 'PLAIN',
    formality: 'SMART_CASUAL',
    seasons: ['SPRING', 'SUMMER', 'AUTUMN', 'WINTER'],
    sizes: ['XS', 'S', 'M', 'L', 'XL', 'XXL'],
    price_cents: 4_990,
    offered: true,
  });
});

it('another start writes no row', async () => {
  const before = await versions();
  await inventory.restart();
  expect(await versions()).toEqual(before);
  expect(await load(GARMENTS)).toEqual(NOTHING);
});

it('takes over what the file changed, and leaves the stock as it was sold', async () => {
  const { participant, transact, db } = inventory;
  const sold = ask(item(SHIRT, 'M', 3));
  await transact((work) => participant.prepare(sold, work));
  await transact((work) => participant.commit(sold, work));
  const stock = await counts(db, SHIRT, 'M');
  const changed = withShirt({
    name: 'Oxford shirt, off-white',
    colours: ['beige'],
    formality: 'BUSINESS',
    seasons: ['SUMMER'],
    priceCents: 5_490,
    stock: [{ size: 'M', pieces: 500 }],
  });
  expect(await load(changed)).toEqual({ ...NOTHING, changed: 1 });
  expect(await shirt()).toMatchObject({
    name: 'Oxford shirt, off-white',
    colours: ['beige'],
    formality: 'BUSINESS',
    seasons: ['SUMMER'],
    sizes: ['M'],
    price_cents: 5_490,
  });
  expect(await counts(db, SHIRT, 'M')).toEqual(stock);
  const vote = await transact((work) => participant.prepare(ask(item(SHIRT, 'L')), work));
  expect(vote).toMatchObject({ code: 'unknown-garment', reason: `there is no ${SHIRT} in size L` });
});

it('a new garment, and a new size, begin with the pieces of the file', async () => {
  const { db } = inventory;
  const fresh = { sku: 'BEL-901-TEA', name: 'Test belt, teal', colours: ['teal' as const] };
  const belt = GARMENTS.find(({ sku }) => sku === 'BEL-101-BLK') as CatalogueGarment;
  const small = { size: 'XS' as const, pieces: 7 };
  const changed = GARMENTS.map((each) => (each === belt ? { ...belt, stock: [small, ...belt.stock] } : each));
  changed.push({ ...belt, ...fresh, stock: [{ size: 'M', pieces: 4 }] });
  expect(await load(changed)).toEqual({ added: 1, changed: 1, withdrawn: 0, sizes: 2 });
  expect(await counts(db, belt.sku, 'XS')).toEqual([7, 0, 0, 7]);
  expect(await counts(db, fresh.sku, 'M')).toEqual([4, 0, 0, 4]);
});

it('what has left the file is shown as such, is not offered, and comes back with its stock', async () => {
  const { db, service } = inventory;
  const stock = await counts(db, SHIRT, 'M');
  const without = GARMENTS.filter(({ sku }) => sku !== SHIRT);
  expect(await load(without)).toEqual({ ...NOTHING, withdrawn: 1 });
  const shown = await (await fetch(`${service.url}/garments/${SHIRT}`)).json();
  expect(shown).toMatchObject({ sku: SHIRT, offered: false });
  const page = await fetch(`${service.url}/garments?category=shirt&colour=white&limit=100`);
  const { garments } = (await page.json()) as { garments: { sku: string }[] };
  expect(garments.map(({ sku }) => sku)).not.toContain(SHIRT);
  const quote = await fetch(`${service.url}/quotes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ items: [item(SHIRT, 'M')] }),
  });
  expect(quote.status).toBe(422);
  expect(await load(GARMENTS)).toEqual({ ...NOTHING, changed: 1 });
  expect(await counts(db, SHIRT, 'M')).toEqual(stock);
});

it('replicas that start together load one after the other', async () => {
  await inventory.db.query('delete from stock');
  await inventory.db.query('delete from garment');
  const loaded = await Promise.all(Array.from({ length: 4 }, () => load(GARMENTS)));
  expect(loaded.toSorted((a, b) => b.added - a.added)).toEqual([
    { ...NOTHING, added: GARMENTS.length, sizes: SIZES },
    NOTHING,
    NOTHING,
    NOTHING,
  ]);
});

it('replicas with different files load one after the other, too: the last one is right', async () => {
  // Each withdraws what the other one offers again: side by side they would wait for each other in a circle.
  const [odd, even] = [1, 0].map((rest) => GARMENTS.filter((_, index) => index % 2 === rest));
  for (let round = 0; round < 5; round++)
    await Promise.all([odd, even, odd, even].map((garments) => load(garments ?? [])));
  const { rows } = await inventory.db.query<{ sku: string }>('select sku from garment where offered');
  const offered = rows.map(({ sku }) => sku).toSorted();
  expect([odd, even].map((file) => file?.map(({ sku }) => sku).toSorted())).toContainEqual(offered);
});
