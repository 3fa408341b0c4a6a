import { randomUUID } from 'node:crypto';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FashionHouse } from '../src/fashion-house.js';

let house: FashionHouse;
let addressRef: string;
beforeAll(async () => {
  house = await FashionHouse.open({
    log: 'postgres',
    settings: { checkout: { AURA_PURCHASE_WAIT_MS: '20000' } },
  });
  const address = { region: 'North', lines: ['A. Person', '1 Street'] };
  addressRef = String((await house.ask('delivery', 'POST', '/addresses', address)).body['ref']);
}, 120_000);
afterAll(() => house.close());

interface Garment {
  readonly sku: string;
  readonly stock: readonly { readonly size: string; readonly onHand: number }[];
}

async function methodRef(token: string): Promise<string> {
  const { body } = await house.ask('payments', 'POST', '/payment-methods', { kind: 'card', token, holderRef: 'customer-1' });
  return String(body['ref']);
}

/** A garment that can be bought, in a size that is there. */
async function anyGarment(): Promise<{ sku: string; size: string; onHand: number }> {
  const { body } = await house.ask('inventory', 'GET', '/garments?limit=1');
  const [first] = body['garments'] as Garment[];
  const garment = (await house.ask('inventory', 'GET', `/garments/${first?.sku}`)).body as unknown as Garment;
  const there = garment.stock.find(({ onHand }) => onHand > 0);
  if (!there) throw new Error('nothing is on hand');
  return { sku: garment.sku, ...there };
}

async function buy(token: string, quantity = 1, key: string = randomUUID()) {
  const { sku, size } = await anyGarment();
  const basket = { items: [{ sku, size, quantity }], addressRef, paymentMethodRef: await methodRef(token) };
  return house.ask('checkout', 'POST', '/purchases', basket, { 'Idempotency-Key': key });
}

describe('a purchase over four services', () => {
  it('is bought: stock sold, money captured, slot booked', async () => {
    const { status, body } = await buy('tok-ok');
    expect({ status, ...body }).toMatchObject({ status: 201, state: 'bought' });
    const id = String(body['id']);
    await settled('every service has acknowledged', async () => {
      return (await house.ask('checkout', 'GET', `/purchases/${id}`)).body['settled'] === true;
    });
    const states = [
      await house.rows('inventory', 'select state from stock_hold where saga_id = $1', [id]),
      await house.rows('delivery', 'select state from slot_booking where saga_id = $1', [id]),
    ];
    expect(states).toEqual([[{ state: 'SOLD' }], [{ state: 'BOOKED' }]]);
  });

  it('is refused where the card is declined: the problem names branch and reason, and nothing is held', async () => {
    const { status, body } = await buy('tok-declined');
    expect(status).toBe(409);
    expect(body).toMatchObject({ type: 'urn:aura:problem:purchase-refused', branch: 'payment' });
    await settled('nothing is held any more', async () => {
      const stock = await house.rows('inventory', "select 1 from stock_hold where state = 'HELD'");
      const slots = await house.rows('delivery', "select 1 from slot_booking where state = 'HELD'");
      return stock.length + slots.length === 0;
    });
  });
});
