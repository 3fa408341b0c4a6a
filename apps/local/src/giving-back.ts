import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { TerminalError } from '@aura/platform';
import { money, slotText, type Branch, type PurchaseStep } from './purchase-steps.js';
import type { PurchaseRun } from './purchases.js';
import type { Item, Shop } from './shop.js';
import type { Stack } from './stack.js';

/** Delivery's answer, as far as the demo shows it. */
interface Return {
  readonly id: string;
  readonly state: 'returning' | 'returned' | 'refused';
  readonly why: { readonly reason: string } | null;
  readonly settled: boolean;
  readonly refundCents: number;
  readonly currency: string;
  readonly pickUp: { readonly state: string } | null;
  readonly branches: readonly Branch[];
}

export interface ReturnRun {
  /** It ended as it should, and the services' own books say the same. */
  readonly ok: boolean;
  readonly id: string;
  readonly state: Return['state'];
  readonly settled: boolean;
  readonly why: Return['why'];
  readonly refundCents: number;
  readonly currency: string;
  readonly steps: readonly PurchaseStep[];
  /** From asking for it until every service had done its part. */
  readonly totalMs: number;
  readonly books: {
    /** Pieces on hand: before they were bought, and now. */
    readonly stock: readonly (Item & { readonly before: number; readonly after: number })[];
    /** refunded, where all of it went back. */
    readonly payment: string | null;
    readonly pickUp: string | null;
    /** How often the buyer was told. */
    readonly notices: number;
  };
  readonly traceId: string | undefined;
}

/** So long a return may take. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 15;

const WORDS: Readonly<Record<string, Readonly<Record<string, (it: Return) => string>>>> = {
  prepared: { restock: () => 'the pieces are in stock again, not offered yet' },
  committed: {
    restock: () => 'the pieces are offered again',
    refund: (it) => `${money(it.refundCents, it.currency)} paid back`,
    notice: () => 'the buyer is told, on the page of the purchase',
  },
};

/** Sends back all that was bought, through the gateway. Throws `TerminalError` where it can't go on. */
export async function giveBack(
  { purchase, books }: PurchaseRun,
  stack: Stack,
  shop: Shop,
  show: (step: PurchaseStep) => void,
): Promise<ReturnRun> {
  const { id: purchaseId } = purchase;
  await untilTrue('its money has arrived', async () => (await paymentOf(stack, purchaseId)) === 'collected');
  const items = purchase.lines.map(({ sku, size, quantity }) => ({ sku, size, quantity }));
  const askedAt = performance.now();
  const { id, detail, traceId } = await shop.giveBack({ purchaseId, items }, randomUUID());
  if (id === undefined) throw new TerminalError(`the return was not begun: ${detail}`);
  const steps: PurchaseStep[] = [];
  let seen: Return | undefined;
  await untilTrue(`return ${id} has ended`, async () => {
    const now = await shop.look<Return>(`/returns/${id}`);
    const ms = Math.round(performance.now() - askedAt);
    for (const step of returnSteps(seen, now, ms)) {
      steps.push(step);
      show(step);
    }
    seen = now;
    return now.settled;
  });
  const { state, settled, why, refundCents, currency, pickUp } = seen as unknown as Return;
  const onHand = await shop.onHand(books.stock);
  const told = await shop.look<{ returns: readonly object[] }>(`/purchases/${purchaseId}`);
  const own = {
    stock: books.stock.map((item, at) => ({ ...item, after: onHand[at] ?? 0 })),
    payment: await paymentOf(stack, purchaseId),
    pickUp: pickUp?.state ?? null,
    notices: told.returns.length,
  };
  return {
    ok: state === 'returned' && isBack(own),
    id,
    state,
    settled,
    why,
    refundCents,
    currency,
    steps,
    totalMs: Math.round(performance.now() - askedAt),
    books: own,
    traceId,
  };
}

function isBack({ stock, payment, pickUp, notices }: ReturnRun['books']): boolean {
  const inStock = stock.every(({ before, after }) => after === before);
  return inStock && payment === 'refunded' && pickUp === 'booked' && notices === 1;
}

const isVote = ({ state }: PurchaseStep): boolean => state === 'prepared' || state === 'refused';

/** What has moved between two looks: votes, the decision, what came of it, the end. */
function returnSteps(before: Return | undefined, now: Return, ms: number): PurchaseStep[] {
  const ofAll = (state: string, words: string): PurchaseStep => ({
    what: 'return',
    service: 'delivery',
    state,
    words,
    ms,
  });
  const decided = (before?.state ?? 'returning') === 'returning' && now.state !== 'returning';
  const branches = now.branches.flatMap(({ name, service, state, refusal }) => {
    const isNews = before?.branches.find((old) => old.name === name)?.state !== state;
    const words = refusal?.reason ?? WORDS[state]?.[name]?.(now);
    return isNews && words !== undefined ? [{ what: name, service, state, words, ms }] : [];
  });
  return [
    ...branches.filter(isVote),
    ...(decided
      ? [ofAll(now.state, now.why ? `decided: ${now.why.reason}` : `decided; ${fetched(now)}`)]
      : []),
    ...branches.filter((step) => !isVote(step)),
    ...(now.settled ? [ofAll('settled', 'every service has done its part')] : []),
  ];
}

function fetched({ pickUp }: Return): string {
  return pickUp ? `picked up ${slotText(pickUp)}` : 'no pick-up is booked';
}

async function paymentOf(stack: Stack, purchaseId: string): Promise<string | null> {
  const response = await fetch(`${stack.urlOf('payments')}/payments/${purchaseId}`);
  if (!response.ok) return null;
  return ((await response.json()) as { payments: { state: string }[] }).payments[0]?.state ?? null;
}

async function untilTrue(what: string, look: () => Promise<boolean>): Promise<void> {
  const from = performance.now();
  while (!(await look())) {
    if (performance.now() - from > PATIENCE_MS) throw new TerminalError(`it took too long until ${what}`);
    await pause(LOOK_MS);
  }
}
