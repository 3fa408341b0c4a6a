import { TerminalError } from '@aura/platform';
import { giveBack, type ReturnRun } from './giving-back.js';
import type { Analysis } from './photo-run.js';
import type { Purchase, PurchaseStep } from './purchase-steps.js';
import { Shop, type Item, type WatchedPurchase } from './shop.js';
import type { Stack } from './stack.js';

export interface PurchaseRun {
  readonly name: 'bought' | 'declined' | 'killed';
  /** It ended as it should, once, and the services' own books say the same. */
  readonly ok: boolean;
  readonly purchase: Purchase;
  readonly steps: readonly PurchaseStep[];
  /** From asking for it until every service had done its part. */
  readonly totalMs: number;
  /** What the same request gets when it is sent once more, with the same key. */
  readonly again: {
    readonly status: number;
    readonly id: string | undefined;
    readonly detail: string | undefined;
  };
  readonly books: Books;
  readonly traceId: string | undefined;
  /** Of the one in which payments is killed (ms since it was asked for). */
  readonly kill?: {
    readonly pid: number;
    readonly killedMs: number;
    readonly decidedMs: number;
    readonly backMs: number;
  };
}

/** What the services that own it say of a purchase, each for itself. */
export interface Books {
  /** Pieces on hand, before and after. */
  readonly stock: readonly (Item & { readonly before: number; readonly after: number })[];
  /** held, booked or released; null: no slot was held. */
  readonly delivery: string | null;
  /** authorised, captured, collected, cancelled …; null: no money was held. */
  readonly payment: string | null;
}

type Show = (step: PurchaseStep | string) => void;

/** A purchase that is under way, and what was on hand before it. */
interface Begun {
  readonly items: readonly Item[];
  readonly before: readonly number[];
  readonly watched: WatchedPurchase;
}

const isSettled = ({ settled }: Purchase): boolean => settled;

/** The demo's purchases, over the services of a stack. Throws `TerminalError` where it can't go on. */
export class Purchases {
  readonly #shop: Shop;

  constructor(
    private readonly stack: Stack,
    private readonly result: Analysis['result'],
    private readonly signal: AbortSignal,
  ) {
    this.#shop = new Shop(stack.urlOf('gateway'), signal);
  }

  /** An outfit that goes with the photo. */
  async bought(show: Show): Promise<PurchaseRun> {
    const begun = await this.#begin('tok-ok', show);
    return this.#end('bought', begun, await begun.watched.until('settled', isSettled));
  }

  /** What was bought goes back: a saga of delivery's, with the money as its pivot. */
  returned(bought: PurchaseRun, show: Show): Promise<ReturnRun> {
    return giveBack(bought, this.stack, this.#shop, show);
  }

  /** One whose card is declined: nothing of it stays. */
  async declined(show: Show): Promise<PurchaseRun> {
    const begun = await this.#begin('tok-declined', show);
    const run = await this.#end('declined', begun, await begun.watched.until('settled', isSettled));
    for (const { sku, size, before, after } of run.books.stock)
      show(`${sku} ${size}: ${before} on hand before, ${after} now`);
    const { delivery, payment } = run.books;
    show(`delivery says: ${delivery ?? 'no slot was held'}; payments: ${payment ?? 'no money was held'}`);
    return run;
  }

  /**
   * One in which payments says yes and is killed. The others are decided on without it, because its yes is
   * a durable promise; it keeps that when it is back. Delivery is away at first, so that the kill comes
   * after the yes and before the decision, every time.
   */
  async killed(show: Show): Promise<PurchaseRun> {
    const { stack } = this;
    const begun = await this.#begin('tok-ok', show, async () => {
      await stack.stopService('delivery');
      show('delivery is stopped: nothing can be decided without it');
    });
    const { watched } = begun;
    await watched.until(
      'stock and payment prepared',
      (it) => hasSaidYes(it, 'stock') && hasSaidYes(it, 'payment'),
    );
    const killedMs = watched.ms;
    const pid = await stack.killService('payments');
    show(`payments is killed: kill -9 ${pid}; delivery starts again`);
    await stack.startService('delivery');
    await watched.until('decided', ({ state }) => state !== 'buying');
    const decidedMs = watched.ms;
    await watched.until('stock and delivery committed', othersAreDone);
    show('decided and done by all others, while payments is dead');
    show(
      'payments starts again; the log gives it its partitions when its dead session ends, after 10 to 15 s',
    );
    await stack.startService('payments');
    const backMs = watched.ms;
    const purchase = await watched.until('settled', isSettled, (ms) =>
      show(`… waiting for that, ${Math.round(ms / 1_000)} s`),
    );
    return { ...(await this.#end('killed', begun, purchase)), kill: { pid, killedMs, decidedMs, backMs } };
  }

  /** `first` is done when all is ready to be bought. */
  async #begin(token: string, show: Show, first?: () => Promise<void>): Promise<Begun> {
    const items = await this.#shop.outfitFor(this.result);
    const before = await this.#shop.onHand(items);
    const basket = await this.#shop.basketOf(items, token);
    await first?.();
    const watched = await this.#shop.buy(basket, show);
    return { items, before, watched };
  }

  async #end(
    name: PurchaseRun['name'],
    { items, before, watched }: Begun,
    purchase: Purchase,
  ): Promise<PurchaseRun> {
    const totalMs = watched.ms;
    const { status, body } = await watched.watch.again();
    const again = { status, id: body.id ?? body.purchase, detail: body.detail };
    const books = await this.#books(purchase.id, items, before);
    const asItShould = name === 'declined' ? isUndone : isDone;
    return {
      name,
      ok: again.id === purchase.id && asItShould(purchase, books),
      purchase,
      steps: watched.steps,
      totalMs,
      again,
      books,
      traceId: watched.watch.traceId,
    };
  }

  async #books(id: string, items: readonly Item[], before: readonly number[]): Promise<Books> {
    const after = await this.#shop.onHand(items);
    const stock = items.map((item, at) => ({ ...item, before: before[at] ?? 0, after: after[at] ?? 0 }));
    const deliveries = await this.#asked<{ bookings: { state: string }[] }>('delivery', `/deliveries/${id}`);
    const payments = await this.#asked<{ payments: { state: string }[] }>('payments', `/payments/${id}`);
    return {
      stock,
      delivery: deliveries?.bookings[0]?.state ?? null,
      payment: payments?.payments[0]?.state ?? null,
    };
  }

  /** What a service says itself; null where it knows nothing of it. */
  async #asked<T>(service: 'delivery' | 'payments', path: string): Promise<T | null> {
    const response = await fetch(`${this.stack.urlOf(service)}${path}`, { signal: this.signal });
    if (response.status === 404) return null;
    if (!response.ok) throw new TerminalError(`${service} answered ${path} with ${response.status}`);
    return (await response.json()) as T;
  }
}

/** Throws where it was decided before: then there is nothing to show. */
function hasSaidYes({ id, state, why, branches }: Purchase, branch: string): boolean {
  if (state !== 'buying')
    throw new TerminalError(`purchase ${id} was ${state} before its time: ${why?.reason}`);
  return branches.some(({ name, state: reached }) => name === branch && reached === 'prepared');
}

function othersAreDone({ branches }: Purchase): boolean {
  return branches.every(({ name, state }) => name === 'payment' || state === 'committed');
}

const TAKEN = new Set(['captured', 'collected']);

function isDone({ state, settled }: Purchase, { stock, delivery, payment }: Books): boolean {
  const sold = stock.every(({ before, after, quantity }) => after === before - quantity);
  return state === 'bought' && settled && sold && delivery === 'booked' && TAKEN.has(payment ?? '');
}

function isUndone({ state, settled, why }: Purchase, { stock, delivery, payment }: Books): boolean {
  const back = stock.every(({ before, after }) => after === before);
  const nothingHeld = delivery !== 'held' && delivery !== 'booked' && payment === null;
  return state === 'refused' && why?.branch === 'payment' && settled && back && nothingHeld;
}
