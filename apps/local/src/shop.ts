import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { TerminalError } from '@aura/platform';
import { bySuiting, sizeFrom, wishFor, type Garment, type SizeInStock } from './outfit.js';
import type { Analysis } from './photo-run.js';
import { stepsBetween, type Purchase, type PurchaseStep } from './purchase-steps.js';

export interface Item {
  readonly sku: string;
  readonly size: string;
  readonly quantity: number;
}

/** What a purchase asks for, by references only. */
export interface Basket {
  readonly items: readonly Item[];
  readonly addressRef: string;
  readonly paymentMethodRef: string;
}

interface Answer<T> {
  readonly status: number;
  readonly body: T;
  /** The trace of the request; undefined where none is recorded. */
  readonly traceId: string | undefined;
}

/** The answer to a purchase: the purchase, or a problem that names it. */
interface Asked {
  readonly id?: string;
  readonly purchase?: string;
  readonly detail?: string;
}

/** The answer to a return: the return, or a problem that names it where it was begun. */
interface Returned {
  readonly id?: string;
  readonly detail?: string;
  readonly traceId?: string | undefined;
}

interface Watch {
  readonly id: string;
  readonly traceId: string | undefined;
  /** By `performance.now()`. */
  readonly askedAt: number;
  /** The same request once more, with the same key. */
  readonly again: () => Promise<Answer<Asked>>;
  readonly look: () => Promise<Purchase>;
  readonly onStep: (step: PurchaseStep) => void;
  readonly signal: AbortSignal;
}

/** So long is a purchase looked at until it must have moved on: deadlines and dead sessions fit in. */
const PATIENCE_MS = 150_000;
/** Between two looks: first often, to see each step; then not to be a burden. */
const LOOK_MS = { soon: 15, later: 100, soonForMs: 3_000 };
/** So many garments of a category are looked at for one that is there. */
const MOST_LOOKED_AT = 10;
const REGION = 'North';

/** The shop as a browser meets it: through the gateway. Throws `TerminalError` with a refusal's words. */
export class Shop {
  constructor(
    private readonly gatewayUrl: string,
    private readonly signal: AbortSignal,
  ) {}

  /** Two or three garments that suit the photo and are there, one piece of each. */
  async outfitFor(result: Analysis['result']): Promise<Item[]> {
    const { formality, categories } = wishFor(result);
    const seen = (result?.palette ?? []).map(({ name }) => name);
    const found: Item[] = [];
    const worn: string[] = [];
    for (const category of categories) {
      const query = new URLSearchParams({ category, formality, limit: '100' });
      const { body } = await this.#ask<{ garments: Garment[] }>('GET', `/garments?${query.toString()}`);
      for (const { sku, colours } of bySuiting(body.garments, seen, worn).slice(0, MOST_LOOKED_AT)) {
        const size = sizeFrom(await this.stockOf(sku));
        if (size === undefined) continue;
        found.push({ sku, size, quantity: 1 });
        worn.push(...colours.slice(0, 1));
        break;
      }
    }
    if (found.length < 2)
      throw new TerminalError(`the shop has no ${formality} outfit any more: take another --dir`);
    return found;
  }

  async stockOf(sku: string): Promise<readonly SizeInStock[]> {
    return (await this.#ask<{ stock: SizeInStock[] }>('GET', `/garments/${sku}`)).body.stock;
  }

  /** What is on hand of each item, in their order. */
  async onHand(items: readonly Item[]): Promise<number[]> {
    const counts: number[] = [];
    for (const { sku, size } of items)
      counts.push((await this.stockOf(sku)).find((each) => each.size === size)?.onHand ?? 0);
    return counts;
  }

  /** For the same customer each time, with a card that behaves as its token says. */
  async basketOf(items: readonly Item[], token: string): Promise<Basket> {
    const address = { region: REGION, lines: ['Aura Demo', '1 Example Street', '12345 Town'] };
    const card = { kind: 'card', token, holderRef: 'customer-demo' };
    const { body: kept } = await this.#ask<{ ref: string }>('POST', '/addresses', address);
    const { body: method } = await this.#ask<{ ref: string }>('POST', '/payment-methods', card);
    return { items, addressRef: kept.ref, paymentMethodRef: method.ref };
  }

  /** Asks for a purchase; what becomes of it is to be watched. */
  async buy(basket: Basket, onStep: (step: PurchaseStep) => void): Promise<WatchedPurchase> {
    const askedAt = performance.now();
    const again = this.#asking(basket, randomUUID());
    const { body, traceId } = await again();
    const { id } = body;
    if (id === undefined) throw new TerminalError(`the purchase was not begun: ${body.detail}`);
    const look = async () => (await this.#ask<Purchase>('GET', `/purchases/${id}`)).body;
    return new WatchedPurchase({ id, traceId, askedAt, again, look, onStep, signal: this.signal });
  }

  /** Asks for a return; its answer names it, or is a problem that does. */
  async giveBack(asked: { purchaseId: string; items: readonly Item[] }, key: string): Promise<Returned> {
    const { body, traceId } = await this.#send<Returned & { return?: string }>('POST', '/returns', asked, {
      'Idempotency-Key': key,
    });
    const id = body.id ?? body.return;
    return { ...body, traceId, ...(id === undefined ? {} : { id }) };
  }

  async look<T>(path: string): Promise<T> {
    return (await this.#ask<T>('GET', path)).body;
  }

  /** The same request, as often as it is called. */
  #asking(basket: Basket, key: string): () => Promise<Answer<Asked>> {
    return () => this.#send('POST', '/purchases', basket, { 'Idempotency-Key': key });
  }

  async #ask<T>(method: string, path: string, body?: object): Promise<Answer<T>> {
    const answer = await this.#send<T & { detail?: string; title?: string }>(method, path, body);
    const { detail, title } = answer.body;
    if (answer.status < 300) return answer;
    throw new TerminalError(
      `the gateway answered ${method} ${path} with ${answer.status}: ${detail ?? title}`,
    );
  }

  async #send<T>(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.gatewayUrl}${path}`, {
      method,
      headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: this.signal,
    });
    const traceId = response.headers.get('traceresponse')?.split('-')[1];
    return { status: response.status, body: (await response.json()) as T, traceId };
  }
}

/** A purchase under way; what was seen of it so far. */
export class WatchedPurchase {
  readonly steps: PurchaseStep[] = [];
  #latest: Purchase | undefined;

  constructor(readonly watch: Watch) {}

  /** Since it was asked for. */
  get ms(): number {
    return Math.round(performance.now() - this.watch.askedAt);
  }

  /** Looks at it until `reached`; `onWait` is told every few seconds how long that lasts (ms). */
  async until(
    what: string,
    reached: (purchase: Purchase) => boolean,
    onWait: (ms: number) => void = () => undefined,
  ): Promise<Purchase> {
    const from = performance.now();
    let toldAt = from;
    for (;;) {
      const purchase = await this.watch.look();
      for (const step of stepsBetween(this.#latest, purchase, this.ms)) {
        this.steps.push(step);
        this.watch.onStep(step);
      }
      this.#latest = purchase;
      if (reached(purchase)) return purchase;
      const waited = performance.now() - from;
      if (waited > PATIENCE_MS)
        throw new TerminalError(
          `purchase ${this.watch.id} has not come so far: ${what} (it is ${purchase.state})`,
        );
      if (performance.now() - toldAt > 3_000) {
        toldAt = performance.now();
        onWait(waited);
      }
      await pause(waited < LOOK_MS.soonForMs ? LOOK_MS.soon : LOOK_MS.later, undefined, {
        signal: this.watch.signal,
      });
    }
  }
}
