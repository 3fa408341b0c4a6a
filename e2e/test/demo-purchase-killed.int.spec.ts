/**
 * Issue 6: the purchase of the demo in which payments is killed after its yes and comes back, as the
 * services' own databases and logs have it afterwards.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rowsOf } from '../src/crash/books.js';
import { Demo, type PurchaseSummary, type RunningDemo, type Summary } from './demo-program.js';

let demo: Demo;
let running: RunningDemo;
let summary: Summary;
let killed: PurchaseSummary;

beforeAll(async () => {
  demo = new Demo();
  running = demo.start('--json');
  summary = await running.summary();
  killed = summary.purchases.find(({ name }) => name === 'killed') ?? expect.fail('nothing was killed');
}, 240_000);
afterAll(async () => {
  await running?.interrupt();
  await demo?.dispose();
}, 60_000);

describe.skipIf(process.platform === 'win32')('a purchase while payments is killed after its yes', () => {
  it('is decided while payments is dead, and ends when it is back', () => {
    expect(killed).toMatchObject({ ok: true, state: 'bought', settled: true });
    const at = (what: string, state: string): number => {
      const index = killed.steps.findIndex((step) => step.what === what && step.state === state);
      return killed.steps[index]?.ms ?? expect.fail(`${what} was not seen ${state}`);
    };
    const { killedMs = 0, decidedMs = 0, backMs = 0 } = killed.kill ?? {};
    const order = [
      at('payment', 'prepared'),
      killedMs,
      at('purchase', 'bought'),
      decidedMs,
      at('stock', 'committed'),
      backMs,
      at('payment', 'committed'),
      at('purchase', 'settled'),
    ];
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  it('takes the money once, in the second life of payments', async () => {
    const entries = await rowsOf<{ kind: string; posted_at: Date }>(
      demo.databaseUrl('payments'),
      `select kind, posted_at from ledger_entry where saga_id = '${killed.id}' order by posted_at`,
    );
    expect(entries.map(({ kind }) => kind)).toEqual(['authorised', 'captured', 'collected']);
    const starts = logOf('payments').filter(({ message }) => message === 'the payment provider is simulated');
    expect(starts).toHaveLength(2);
    const [authorised = 0, captured = 0] = entries.map(({ posted_at: postedAt }) => postedAt.getTime());
    const backAt = Date.parse(starts[1]?.time ?? '');
    const decidedAt = Date.parse(killed.decidedAt);
    expect(authorised).toBeLessThanOrEqual(decidedAt);
    expect(decidedAt).toBeLessThan(backAt);
    expect(captured).toBeGreaterThan(backAt);
  });

  it('leaves the books of the payment provider and of the ledger alike, with nothing open', async () => {
    const url = demo.databaseUrl('payments');
    const [books] = await rowsOf<Record<string, string>>(url, 'select * from provider.books');
    const paid = summary.purchases.filter(({ name }) => name !== 'declined');
    const cents = String(paid.reduce((sum, { totalCents }) => sum + totalCents, 0));
    expect(books).toMatchObject({ authorised_cents: cents, captured_cents: cents, open_cents: '0' });
  });

  it('is sold and delivered; the declined one before it holds nothing', async () => {
    expect(await ends(killed.id)).toEqual(['SOLD', 'BOOKED']);
    const declined = summary.purchases.find(({ name }) => name === 'declined');
    expect((await ends(declined?.id ?? '')).filter((state) => state !== 'RELEASED')).toEqual([]);
  });
});

/** What inventory and delivery have of a purchase. */
async function ends(id: string): Promise<string[]> {
  const stock = `select state from stock_hold where saga_id = '${id}'`;
  const slot = `select state from slot_booking where saga_id = '${id}'`;
  const rows = [
    ...(await rowsOf<{ state: string }>(demo.databaseUrl('inventory'), stock)),
    ...(await rowsOf<{ state: string }>(demo.databaseUrl('delivery'), slot)),
  ];
  return rows.map(({ state }) => state);
}

/** What a service wrote down. */
function logOf(service: string): { readonly time: string; readonly message: string }[] {
  const lines = readFileSync(join(demo.dir, 'logs', `${service}.log`), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as { time: string; message: string });
}
