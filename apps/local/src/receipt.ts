import { givenJaeger } from '@aura/tools/jaeger';
import Table from 'cli-table3';
import pc from 'picocolors';
import type { ReturnRun } from './giving-back.js';
import { money, slotText, type PurchaseStep } from './purchase-steps.js';
import type { PurchaseRun } from './purchases.js';
import { milliseconds } from './words.js';

const DONE = new Set(['prepared', 'committed', 'bought', 'returned', 'settled']);

export function purchaseLine(step: PurchaseStep | string): string {
  if (typeof step === 'string') return pc.yellow(step);
  const { what, service, state, words, ms } = step;
  const reached = (DONE.has(state) ? pc.green : pc.red)(state.padEnd(9));
  return `${what.padEnd(8)} ${pc.bold(service.padEnd(9))} ${reached} ${words} ${pc.dim(milliseconds(ms))}`;
}

/** How a purchase went, in one line. */
export function purchaseWords({ ok, purchase, again, totalMs }: PurchaseRun): string {
  const { id, state, why, totalCents, currency } = purchase;
  if (!ok)
    return pc.red(`purchase ${id} did not end as it should: it is ${state}${why ? `, ${why.reason}` : ''}`);
  const what =
    state === 'bought' ? `bought for ${money(totalCents, currency)}` : `${state}, nothing stays held`;
  const same = again.id === id ? 'the same purchase' : `another purchase, ${again.id}`;
  return `${what}; the same request again: ${again.status}, ${same} ${pc.dim(`(${milliseconds(totalMs)})`)}`;
}

/** How a return went, in one line. */
export function returnWords({ ok, id, state, why, refundCents, currency, totalMs }: ReturnRun): string {
  if (!ok)
    return pc.red(`return ${id} did not end as it should: it is ${state}${why ? `, ${why.reason}` : ''}`);
  const paid = `${money(refundCents, currency)} paid back`;
  return `all back in stock, ${paid} ${pc.dim(`(${milliseconds(totalMs)})`)}`;
}

/** What a buyer gets: every line, the sum, the slot, and what became of the money. */
export function receiptText({ purchase, books }: PurchaseRun): string {
  const { id, lines, totalCents, currency, branches } = purchase;
  const table = new Table({ style: { head: [], border: [] }, colAligns: ['left', 'left', 'right', 'right'] });
  for (const { name, sku, size, quantity, priceCents } of lines)
    table.push([`${name} ${pc.dim(sku)}`, size, quantity, money(priceCents, currency)]);
  const slot = branches.find(({ name }) => name === 'delivery')?.reply;
  table.push(
    [pc.bold('total'), '', '', pc.bold(money(totalCents, currency))],
    ['payment', { colSpan: 3, content: books.payment ?? 'none' }],
    ['delivery', { colSpan: 3, content: `${slotText(slot)}, ${books.delivery ?? 'none'}` }],
  );
  return `${pc.bold('receipt')} ${id}\n${table.toString()}`;
}

/** What a Jaeger that was built without its pages shows in their place. */
const NO_PAGES = /placeholder for the Jaeger UI/;

/**
 * Where a trace can be read, by `JAEGER_URL`; undefined without it. A Jaeger without pages gives it as JSON.
 */
export async function traceLink(traceId: string | undefined): Promise<string | undefined> {
  const url = givenJaeger()?.url;
  if (url === undefined || traceId === undefined) return undefined;
  const page = `${url}/trace/${traceId}`;
  try {
    const response = await fetch(page, { signal: AbortSignal.timeout(1_000) });
    return NO_PAGES.test(await response.text()) ? `${url}/api/traces/${traceId}` : page;
  } catch {
    return page; // it does not answer now; when it does, it is there
  }
}
