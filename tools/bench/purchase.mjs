// The purchase of the real applications: checkout, inventory, payments and delivery, from `POST /purchases`
// to the answer that it is bought. The payment provider is the simulated one, without faults or delays.
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { startApps } from './apps.mjs';
import { rowOf } from './figures.mjs';
import { until } from './ground.mjs';
import { jsonClient } from './json-client.mjs';
import { closedLoad, isAmong } from './load.mjs';

const CUSTOMERS = 100;
const REGIONS = ['North', 'East', 'South', 'West'];
/** More than any run sells. */
const PIECES = 1_000_000_000;

export async function benchPurchase({ servers, runs, seconds, warmUp, say, concurrencies, failing }) {
  const apps = await startApps(servers, say);
  const books = await openBooks(apps.databases);
  const http = Object.fromEntries(Object.entries(apps.urls).map(([name, url]) => [name, jsonClient(url)]));
  try {
    const shop = await stocked(http, books);
    const buy = (how) => load(http.checkout, shop, how);
    say('warming up: the purchase');
    await buy({ ...warmUp, failing: 0 });
    await settled(books);
    const rows = [];
    for (const concurrency of concurrencies) {
      const done = [];
      for (let n = 0; n < runs; n++) {
        say(`C=${concurrency}, run ${n + 1} of ${runs}: the purchase`);
        done.push(await buy({ concurrency, seconds, failing }));
        await settled(books);
      }
      rows.push(purchaseRow(done, concurrency, failing));
    }
    rows.at(-1).failed += await unaccounted(books);
    return rows;
  } finally {
    for (const client of Object.values(http)) client.close();
    for (const client of Object.values(books)) await client.end();
    await apps.stop();
  }
}

function purchaseRow(runs, concurrency, failing) {
  const what = failing > 0 ? `the purchase (4 apps), ${failing * 100} % declined` : 'the purchase (4 apps)';
  const unexpected = runs.find((run) => run.unexpected)?.unexpected;
  const more = { note: 'simulated provider, no delays or faults', ...(unexpected ? { unexpected } : {}) };
  return rowOf({ system: 'aura', case: what, concurrency }, runs, more);
}

/** Callers that each wait for the decision. `unexpected`: the first answer that should have been another. */
async function load(checkout, { basketOf, declined }, { failing, ...how }) {
  let unexpected;
  const buy = async (n) => {
    const fails = isAmong(n, failing);
    const basket = basketOf(n);
    const asked = fails ? { ...basket, paymentMethodRef: declined } : basket;
    const { status, body } = await decided(checkout, asked);
    if (status === (fails ? 409 : 201)) return true;
    unexpected ??= `${status}: ${body?.detail ?? body?.state ?? 'nothing was said'}`;
    return false;
  };
  return { ...(await closedLoad(buy, how)), unexpected };
}

/** As a client does whose purchase is not decided yet: the same request again, which waits once more. */
async function decided(checkout, asked) {
  const key = { 'idempotency-key': randomUUID() };
  for (;;) {
    const answer = await checkout.post('/purchases', asked, key);
    if (answer.status !== 202) return answer;
  }
}

async function openBooks(databases) {
  const books = {};
  for (const [name, connectionString] of Object.entries(databases)) {
    books[name] = new Client({ connectionString });
    await books[name].connect();
  }
  return books;
}

/** Stock for every run, and customers with a card and an address. Gives what the n-th of them buys. */
async function stocked({ payments, delivery }, { inventory }) {
  await inventory.query('update stock set on_hand = on_hand + $1, received = received + $1', [PIECES]);
  const { rows: sizes } = await inventory.query('select sku, size from stock order by sku, size');
  const customers = [];
  for (let n = 0; n < CUSTOMERS; n++) {
    const address = { region: REGIONS[n % REGIONS.length], lines: ['A. Person', `${n} Street`] };
    customers.push({
      addressRef: await refOf(delivery, '/addresses', address),
      paymentMethodRef: await refOf(payments, '/payment-methods', card('tok-ok', n)),
    });
  }
  const declined = await refOf(payments, '/payment-methods', card('tok-declined', CUSTOMERS));
  const itemAt = (n) => ({ ...sizes[n % sizes.length], quantity: 1 });
  const basketOf = (n) => ({ items: [itemAt(2 * n), itemAt(2 * n + 1)], ...customers[n % CUSTOMERS] });
  return { basketOf, declined };
}

const card = (token, n) => ({ kind: 'card', token, holderRef: `customer-${n}` });
const refOf = async (client, path, body) => (await client.post(path, body)).body.ref;

const OPEN = 'select count(*)::int as open from aura.saga where ended_at is null';

async function settled({ checkout }) {
  let open = 0;
  await until(
    async () => (open = (await checkout.query(OPEN)).rows[0].open) === 0,
    () => open,
  );
}

const BOUGHT = {
  checkout: "select count(*)::int as n from aura.saga where phase = 'COMMITTED'",
  inventory: "select count(*)::int as n from stock_hold where state = 'SOLD'",
  payments: "select count(*)::int as n from ledger_entry where kind = 'captured'",
  delivery: "select count(*)::int as n from slot_booking where state = 'BOOKED'",
};

/** Purchases that checkout calls bought and another service has not, or the other way round. */
async function unaccounted(books) {
  const counts = {};
  for (const [name, sql] of Object.entries(BOUGHT)) counts[name] = (await books[name].query(sql)).rows[0].n;
  const { checkout, ...others } = counts;
  return Object.values(others).reduce((sum, n) => sum + Math.abs(n - checkout), 0);
}
