import { randomUUID } from 'node:crypto';
import { settled } from '@aura/testing';
import type { FashionHouse, HouseService } from './fashion-house.js';

export interface Piece {
  readonly sku: string;
  readonly size: string;
  readonly quantity: number;
}

interface Garment {
  readonly sku: string;
  readonly stock: readonly { readonly size: string; readonly onHand: number }[];
}

/** An answer as status and body. */
export interface Answered {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** What is looked at to see that money and pieces are where they belong. */
export interface Books {
  /** Of the piece that is asked about. */
  readonly stock: { on_hand: number; in_return: number; held: number; sold: number; received: number };
  /** By account. */
  readonly ledger: Record<string, number>;
  readonly provider: Record<string, number>;
}

/** Somebody who buys and returns in a fashion house, and can look into its books. */
export class ShopVisit {
  private constructor(
    private readonly house: Pick<FashionHouse, 'ask' | 'rows'>,
    private readonly addressRef: string,
  ) {}

  static async of(house: Pick<FashionHouse, 'ask' | 'rows'>): Promise<ShopVisit> {
    const address = { region: 'North', lines: ['A. Person', '1 Street'] };
    const { body } = await house.ask('delivery', 'POST', '/addresses', address);
    return new ShopVisit(house, String(body['ref']));
  }

  /** A garment that can be bought, in a size of which there are some. */
  async piece(quantity = 1, skip = 0): Promise<Piece> {
    const { body } = await this.house.ask('inventory', 'GET', `/garments?limit=${skip + 20}`);
    for (const { sku } of (body['garments'] as Garment[]).slice(skip)) {
      const garment = (await this.house.ask('inventory', 'GET', `/garments/${sku}`))
        .body as unknown as Garment;
      const there = garment.stock.find(({ onHand }) => onHand >= quantity);
      if (there) return { sku, size: there.size, quantity };
    }
    throw new Error(`nothing is on hand ${quantity} times`);
  }

  async buy(items: readonly Piece[], token = 'tok-ok', key: string = randomUUID()): Promise<Answered> {
    const card = { kind: 'card', token, holderRef: 'customer-1' };
    const { body } = await this.house.ask('payments', 'POST', '/payment-methods', card);
    const basket = { items, addressRef: this.addressRef, paymentMethodRef: String(body['ref']) };
    return this.house.ask('checkout', 'POST', '/purchases', basket, { 'Idempotency-Key': key });
  }

  /** Bought, acknowledged by everybody, and its money taken: its id. */
  async bought(items: readonly Piece[], token = 'tok-ok'): Promise<string> {
    const { status, body } = await this.buy(items, token);
    if (status !== 201) throw new Error(`it was not bought: ${JSON.stringify(body)}`);
    const id = String(body['id']);
    await this.settled('checkout', `/purchases/${id}`);
    await settled('the money was taken', async () => {
      const { body: paid } = await this.house.ask('payments', 'GET', `/payments/${id}`);
      return (paid['payments'] as { state: string }[] | undefined)?.[0]?.state === 'collected';
    });
    return id;
  }

  giveBack(purchaseId: string, items: readonly Piece[], key: string = randomUUID()): Promise<Answered> {
    const asked = { purchaseId, items };
    return this.house.ask('delivery', 'POST', '/returns', asked, { 'Idempotency-Key': key });
  }

  /** What it is when every service has acknowledged its decision. */
  async settled(name: HouseService, path: string, withinMs = 30_000): Promise<Record<string, unknown>> {
    const ended = async () => {
      const { body } = await this.house.ask(name, 'GET', path);
      return body['settled'] === true && body;
    };
    return settled(`${path} has ended`, ended, { withinMs });
  }

  async books({ sku, size }: Piece): Promise<Books> {
    const [stock] = await this.house.rows<Books['stock']>(
      'inventory',
      'select on_hand, in_return, held, sold, received from stock where sku = $1 and size = $2',
      [sku, size],
    );
    const ledger = await this.house.rows<{ account: string; cents: string }>(
      'payments',
      'select account, balance_cents as cents from account_balance',
    );
    const [provider = {}] = await this.house.rows<Record<string, string>>(
      'payments',
      'select captured_cents, refunded_cents, open_cents from provider.books',
    );
    if (!stock) throw new Error(`there is no ${sku} in size ${size}`);
    return {
      stock,
      ledger: Object.fromEntries(ledger.map(({ account, cents }) => [account, Number(cents)])),
      provider: Object.fromEntries(Object.entries(provider).map(([name, cents]) => [name, Number(cents)])),
    };
  }
}

/** Laws of the books that hold whenever nothing is under way: what is broken, in words. */
export function brokenLaws({ stock, ledger, provider }: Books): string[] {
  const { on_hand, in_return, held, sold, received } = stock;
  const sum = Object.values(ledger).reduce((all, cents) => all + cents, 0);
  const { captured_cents: taken = 0, refunded_cents: back = 0 } = provider;
  const { due = 0, receivable = 0, held: heldCents = 0 } = ledger;
  return [
    on_hand + held + sold === received ? '' : `pieces are lost: ${JSON.stringify(stock)}`,
    in_return === 0 ? '' : `${in_return} pieces came back and are not offered`,
    held === 0 ? '' : `${held} pieces are still held`,
    sum === 0 ? '' : `the ledger is off by ${sum} cents`,
    due === 0 && heldCents === 0 ? '' : `${due} cents are due, ${heldCents} held`,
    receivable === taken - back
      ? ''
      : `the provider has ${taken - back} cents of ours, the ledger ${receivable}`,
  ].filter((word) => word !== '');
}
