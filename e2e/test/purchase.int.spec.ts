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
  const { body } = await house.ask('payments', 'POST', '/payment-methods', {
    kind: 'card',
    token,
    holderRef: 'customer-1',
  });
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

  it('is refused where the card is declined: it says who and why, and nothing stays held', async () => {
    const { status, body } = await buy('tok-declined');
    expect(status).toBe(409);
    expect(body).toMatchObject({ type: 'urn:aura:problem:purchase-refused', branch: 'payment' });
    await settled('nothing is held any more', async () => {
      const stock = await house.rows('inventory', "select 1 from stock_hold where state = 'HELD'");
      const slots = await house.rows('delivery', "select 1 from slot_booking where state = 'HELD'");
      return stock.length + slots.length === 0;
    });
  });

  it('is bought once however often the request is repeated, also at the same time', async () => {
    const { sku, size } = await anyGarment();
    const paymentMethodRef = await methodRef('tok-ok');
    const basket = { items: [{ sku, size, quantity: 1 }], addressRef, paymentMethodRef };
    const headers = { 'Idempotency-Key': randomUUID() };
    const post = (body: object) => house.ask('checkout', 'POST', '/purchases', body, headers);
    const answers = await Promise.all([post(basket), post(basket), post(basket)]);
    expect(new Set(answers.map(({ body }) => body['id'])).size).toBe(1);
    expect(await post(basket)).toMatchObject({ status: 201, body: { id: answers[0]?.body['id'] } });
    const other = { ...basket, items: [{ sku, size, quantity: 2 }] };
    expect(await post(other)).toMatchObject({
      status: 422,
      body: { type: 'urn:aura:problem:idempotency-key' },
    });
  });

  it('can’t be cancelled once it is bought, and is nobody’s under another id', async () => {
    const { body } = await buy('tok-ok');
    const refused = await house.ask('checkout', 'DELETE', `/purchases/${String(body['id'])}`);
    expect(refused).toMatchObject({ status: 409, body: { type: 'urn:aura:problem:purchase-decided' } });
    expect(await house.ask('checkout', 'GET', `/purchases/${randomUUID()}`)).toMatchObject({ status: 404 });
  });

  it('is cancelled while a participant has not answered, and gives back what was held', async () => {
    await house.stop('delivery');
    const { sku, size } = await anyGarment();
    const basket = {
      items: [{ sku, size, quantity: 1 }],
      addressRef,
      paymentMethodRef: await methodRef('tok-ok'),
    };
    const asked = house.ask('checkout', 'POST', '/purchases', basket, { 'Idempotency-Key': randomUUID() });
    const [{ id }] = (await settled('the purchase is there', async () => {
      const rows = await house.rows<{ id: string }>(
        'checkout',
        'select id from purchase order by asked_at desc limit 1',
      );
      const held = await house.rows(
        'inventory',
        "select 1 from stock_hold where saga_id = $1 and state = 'HELD'",
        [rows[0]?.id],
      );
      return held.length > 0 ? rows : undefined;
    })) as [{ id: string }];
    const cancelled = await house.ask('checkout', 'DELETE', `/purchases/${id}`);
    expect(cancelled).toMatchObject({
      status: 200,
      body: { state: 'cancelled', why: { code: 'cancelled' } },
    });
    expect((await asked).status).toBe(409);
    await house.start('delivery');
    await settled('it has ended', async () => {
      return (await house.ask('checkout', 'GET', `/purchases/${id}`)).body['settled'] === true;
    });
    const [hold] = await house.rows('inventory', 'select state from stock_hold where saga_id = $1', [id]);
    expect(hold).toEqual({ state: 'RELEASED' });
  });

  it('a basket that is none is refused with the place of the mistake', async () => {
    const wrong = { items: [{ sku: 'x y', size: 'M', quantity: 0 }], addressRef, paymentMethodRef: '' };
    const answer = await house.ask('checkout', 'POST', '/purchases', wrong, { 'Idempotency-Key': 'k' });
    expect(answer.status).toBe(400);
    const paths = (answer.body['errors'] as { path: string }[]).map(({ path }) => path);
    expect(paths).toEqual(['items.0.sku', 'items.0.quantity', 'paymentMethodRef']);
    const basket = { items: [{ sku: 'NO-1', size: 'M', quantity: 1 }], addressRef, paymentMethodRef: 'm' };
    expect(await house.ask('checkout', 'POST', '/purchases', basket)).toMatchObject({ status: 400 });
  });
});
