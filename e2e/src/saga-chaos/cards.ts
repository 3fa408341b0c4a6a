/** The cards of the campaign, as payments knows them. */
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { CLONE } from '../clone.js';
import { rowsOf } from '../crash/books.js';

/** The tokens of twenty cards: most are well. */
const CARDS = [
  ...Array.from({ length: 7 }, () => 'tok-ok'),
  ...Array.from({ length: 5 }, () => 'tok-random'),
  'tok-slow',
  'tok-slow',
  'tok-twice',
  'tok-twice',
  'tok-declined',
  'tok-declined',
  'tok-timeout-after',
  'tok-late',
];

/** What the shop knows the cards by. */
export const METHOD_REFS = CARDS.map((_, n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);

/** The tables of payments, with a row for each card. */
export async function makePaymentTables(url: string): Promise<void> {
  const source = await new DataSource({
    type: 'postgres',
    url,
    migrations: [join(CLONE, 'apps/payments/dist/migrations/*.js')],
    installExtensions: false,
  }).initialize();
  try {
    await source.runMigrations();
  } finally {
    await source.destroy();
  }
  const values = CARDS.map((token, n) => `('${METHOD_REFS[n]}', 'card', '${token}', 'buyer', now())`);
  await rowsOf(url, `insert into payment_method values ${values.join(', ')}`);
}
