/** Returns over four services, as their buyers meet them: compensated, decided by the card's bank, told. */
import { randomUUID } from 'node:crypto';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FashionHouse } from '../src/fashion-house.js';
import { brokenLaws, ShopVisit, type Piece } from '../src/shop-visit.js';

let house: FashionHouse;
let visit: ShopVisit;
beforeAll(async () => {
  house = await FashionHouse.open({
    log: 'postgres',
    settings: {
      checkout: { AURA_PURCHASE_WAIT_MS: '20000' },
      delivery: { AURA_RETURN_WAIT_MS: '20000', AURA_RETURN_PREPARE_MS: '30000' },
      payments: { AURA_PROVIDER_TIMEOUT_MS: '500' },
    },
  });
  visit = await ShopVisit.of(house);
}, 120_000);
afterAll(() => house.close());

const branch = (body: Record<string, unknown>, name: string) =>
  (body['branches'] as { name: string; state: string; reply: unknown }[]).find((each) => each.name === name);
const pickUp = (id: string) =>
  house.rows('delivery', "select state from slot_booking where saga_id = $1 and branch = 'pick-up'", [id]);
const noticesOf = async (purchase: string) =>
  (await house.ask('checkout', 'GET', `/purchases/${purchase}`)).body['returns'] as object[];

describe('a return', () => {
  it('brings the pieces back, pays the price back, books the pick-up, and the buyer is told', async () => {
    const piece = await visit.piece(2);
    const before = await visit.books(piece);
    const purchase = await visit.bought([piece]);
    const { status, body } = await visit.giveBack(purchase, [piece]);
    expect({ status, ...body }).toMatchObject({
      status: 201,
      state: 'returned',
      purchaseId: purchase,
      why: null,
    });
    const id = String(body['id']);
    const shown = await visit.settled('delivery', `/returns/${id}`);
    const refundCents = Number(shown['refundCents']);
    expect(shown).toMatchObject({ state: 'returned', pickUp: { state: 'booked' } });
    expect(branch(shown, 'restock')).toMatchObject({ service: 'inventory', state: 'committed' });
    expect(branch(shown, 'refund')).toMatchObject({
      service: 'payments',
      state: 'committed',
      reply: {
        refund: expect.stringMatching(/^refund-/) as string,
        amountCents: refundCents,
        currency: 'EUR',
      },
    });
    expect(branch(shown, 'notice')).toMatchObject({ service: 'checkout', state: 'committed' });

    const after = await visit.books(piece);
    expect(after.stock).toEqual(before.stock);
    expect(after.provider['refunded_cents']).toBe((before.provider['refunded_cents'] ?? 0) + refundCents);
    expect(brokenLaws(after)).toEqual([]);
    expect(await pickUp(id)).toEqual([{ state: 'BOOKED' }]);
    expect(await noticesOf(purchase)).toEqual([
      { id, items: [piece], refundCents, currency: 'EUR', noticedAt: expect.any(String) as string },
    ]);
    const told = await house.rows(
      'checkout',
      "select 1 from aura.outbox where type = 'checkout.PurchaseReturned' and key = $1",
      [purchase],
    );
    expect(told).toHaveLength(1);
  });

  it('is in parts, until nothing is left to return: then it says so, and nothing moves', async () => {
    const [one, other] = [await visit.piece(2), await visit.piece(1, 5)];
    const purchase = await visit.bought([one, other]);
    const half: Piece = { ...one, quantity: 1 };
    expect((await visit.giveBack(purchase, [half])).status).toBe(201);
    expect(await visit.giveBack(purchase, [one])).toMatchObject({
      status: 409,
      body: {
        branch: 'restock',
        code: 'too-many',
        detail: expect.stringContaining('1 came back before') as string,
      },
    });
    expect((await visit.giveBack(purchase, [half, other])).status).toBe(201);
    const twice = await visit.giveBack(purchase, [half]);
    expect(twice).toMatchObject({
      status: 409,
      body: { type: 'urn:aura:problem:return-refused', branch: 'restock', code: 'already-returned' },
    });
    expect(twice.body['detail']).toContain('restock said no: this purchase has already been returned');
    const refused = await visit.settled('delivery', `/returns/${String(twice.body['return'])}`);
    expect(refused).toMatchObject({ state: 'refused', pickUp: { state: 'released' } });
    const paid = await house.ask('payments', 'GET', `/payments/${purchase}`);
    expect(paid.body['payments']).toMatchObject([{ state: 'refunded' }]);
    await settled('two notices', async () => (await noticesOf(purchase)).length === 2);
    expect(brokenLaws(await visit.books(one))).toEqual([]);
  });

  it('whose refund the card’s bank declines leaves all as it was: the pieces are sold again', async () => {
    const piece = await visit.piece();
    const purchase = await visit.bought([piece], 'tok-refund-declined');
    const before = await visit.books(piece);
    const { status, body } = await visit.giveBack(purchase, [piece]);
    expect({ status, ...body }).toMatchObject({ status: 409, branch: 'refund', code: 'refund-declined' });
    expect(body['detail']).toContain('refund said no: the refund was declined by the bank of the card');
    const shown = await visit.settled('delivery', `/returns/${String(body['return'])}`);
    expect(shown).toMatchObject({
      state: 'refused',
      why: { branch: 'refund', code: 'refund-declined' },
      pickUp: { state: 'released' },
    });
    expect(branch(shown, 'restock')).toMatchObject({ state: 'compensated' });
    expect(branch(shown, 'notice')).toMatchObject({ state: 'waiting' });
    expect(await visit.books(piece)).toEqual(before);
    expect(await noticesOf(purchase)).toEqual([]);
  });

  it.each(['tok-twice', 'tok-timeout-after', 'tok-timeout-before'])(
    'pays back once where the payment provider is as bad as %s',
    async (token) => {
      const piece = await visit.piece();
      const purchase = await visit.bought([piece], token);
      const { status, body } = await visit.giveBack(purchase, [piece]);
      expect({ status, ...body }).toMatchObject({ status: 201, state: 'returned' });
      await visit.settled('delivery', `/returns/${String(body['id'])}`);
      const paid = await house.ask('payments', 'GET', `/payments/${purchase}`);
      expect(paid.body['payments']).toMatchObject([
        { state: 'refunded', refund: { amountCents: body['refundCents'] } },
      ]);
      expect(brokenLaws(await visit.books(piece))).toEqual([]);
    },
  );

  it('is made once however often it is asked for, also at the same time', async () => {
    const piece = await visit.piece(2);
    const purchase = await visit.bought([piece]);
    const key = randomUUID();
    const one: Piece = { ...piece, quantity: 1 };
    const answers = await Promise.all([1, 2, 3].map(() => visit.giveBack(purchase, [one], key)));
    const id = answers[0]?.body['id'];
    expect(answers.map(({ status, body }) => [status, body['id']])).toEqual([1, 2, 3].map(() => [201, id]));
    expect(await visit.giveBack(purchase, [one], key)).toMatchObject({ status: 201, body: { id } });
    expect(await visit.giveBack(purchase, [piece], key)).toMatchObject({
      status: 422,
      body: { type: 'urn:aura:problem:idempotency-key' },
    });
    const rows = await house.rows('inventory', 'select 1 from restock where purchase_id = $1', [purchase]);
    expect(rows).toHaveLength(1);
  });

  it('of what was not sold is refused before anybody is asked, and says what is wrong', async () => {
    const purchase = await visit.bought([await visit.piece()]);
    const returns = await house.rows('delivery', 'select 1 from parcel_return');
    const strange = { sku: 'SKU-7', size: 'M', quantity: 1 };
    expect(await visit.giveBack(purchase, [strange])).toMatchObject({
      status: 409,
      body: {
        type: 'urn:aura:problem:return-refused',
        branch: 'pick-up',
        code: 'not-in-parcel',
        detail: expect.stringContaining('nothing of SKU-7 in size M was sold in this purchase') as string,
      },
    });
    expect(await visit.giveBack(randomUUID(), [strange])).toMatchObject({ status: 404 });
    expect(await visit.giveBack('mine', [{ ...strange, quantity: 0 }])).toMatchObject({ status: 400 });
    expect(await house.ask('delivery', 'GET', `/returns/${randomUUID()}`)).toMatchObject({ status: 404 });
    expect(await house.rows('delivery', 'select 1 from parcel_return')).toEqual(returns);
  });

  it('of a purchase that was refused is none: nothing of it was delivered', async () => {
    const piece = await visit.piece();
    const { body } = await visit.buy([piece], 'tok-declined');
    const id = String(body['purchase']);
    await visit.settled('checkout', `/purchases/${id}`);
    expect((await visit.giveBack(id, [piece])).status).toBeOneOf([404, 409]);
  });
});

describe('two coordinators, neither of which needs the other', () => {
  it('without checkout a return is decided: pieces and money are back; the buyer is told later', async () => {
    const piece = await visit.piece();
    const purchase = await visit.bought([piece]);
    await house.stop('checkout');
    const { status, body } = await visit.giveBack(purchase, [piece]);
    expect({ status, ...body }).toMatchObject({ status: 201, state: 'returned', settled: false });
    await settled('stock and payments have acknowledged', async () => {
      const shown = (await house.ask('delivery', 'GET', `/returns/${String(body['id'])}`)).body;
      return ['restock', 'refund'].every((name) => branch(shown, name)?.state === 'committed');
    });
    expect(brokenLaws(await visit.books(piece))).toEqual([]);
    await house.start('checkout');
    await visit.settled('delivery', `/returns/${String(body['id'])}`);
    expect(await noticesOf(purchase)).toMatchObject([{ id: body['id'] }]);
  });

  it('without delivery checkout decides what needs no yes of it, and the rest when it is back', async () => {
    const piece = await visit.piece();
    await house.stop('delivery');
    const declined = await visit.buy([piece], 'tok-declined');
    expect(declined).toMatchObject({ status: 409, body: { branch: 'payment' } });
    const buying = visit.buy([piece]);
    await settled('stock and payment are held for it', async () => {
      const held = await house.rows('inventory', "select 1 from stock_hold where state = 'HELD'");
      const [money] = await house.rows<{ cents: string }>(
        'payments',
        "select balance_cents as cents from account_balance where account = 'held'",
      );
      return held.length === 1 && Number(money?.cents) > 0;
    });
    await house.start('delivery');
    expect(await buying).toMatchObject({ status: 201, body: { state: 'bought' } });
  });

  it('a return that waits for its money holds up no purchase, not of the same garment either', async () => {
    const piece = await visit.piece(2);
    const slow = await visit.bought([{ ...piece, quantity: 1 }], 'tok-late');
    const returning = visit.giveBack(slow, [{ ...piece, quantity: 1 }]);
    const [{ id }] = (await settled('its pieces are back, its money is asked for', async () => {
      const rows = await house.rows<{ id: string }>(
        'payments',
        "select saga_id as id from aura.branch where branch = 'refund' and state = 'CALLING'",
      );
      return rows.length === 1 && rows;
    })) as [{ id: string }];
    expect(await visit.buy([{ ...piece, quantity: 1 }])).toMatchObject({ status: 201 });
    expect((await house.ask('delivery', 'GET', `/returns/${id}`)).body).toMatchObject({ state: 'returning' });
    expect(await returning).toMatchObject({ status: 201, body: { id, state: 'returned' } });
  });

  it.each(['inventory', 'payments'] as const)(
    'without %s a return waits, and is done when that is back',
    async (away) => {
      const piece = await visit.piece();
      const purchase = await visit.bought([piece]);
      await house.stop(away);
      const returning = visit.giveBack(purchase, [piece]);
      await settled('it is under way', async () => {
        const open = await house.rows('delivery', 'select 1 from aura.saga where decided_at is null');
        return open.length === 1;
      });
      await house.start(away);
      const { status, body } = await returning;
      expect({ status, ...body }).toMatchObject({ status: 201, state: 'returned' });
      await visit.settled('delivery', `/returns/${String(body['id'])}`);
      expect(brokenLaws(await visit.books(piece))).toEqual([]);
    },
  );

  it('a return whose coordinator stops in the middle goes on when that is back', async () => {
    const piece = await visit.piece();
    const purchase = await visit.bought([piece]);
    await house.stop('payments');
    const key = randomUUID();
    const asked = visit.giveBack(purchase, [piece], key).catch(() => undefined);
    await settled('its pieces are back', async () => {
      const rows = await house.rows('inventory', "select 1 from restock where state = 'RESTOCKED'");
      return rows.length === 1;
    });
    await house.stop('delivery');
    await asked;
    await house.start('payments');
    await house.start('delivery');
    const again = await visit.giveBack(purchase, [piece], key);
    expect(again).toMatchObject({ status: 201, body: { state: 'returned' } });
    await visit.settled('delivery', `/returns/${String(again.body['id'])}`);
    expect(brokenLaws(await visit.books(piece))).toEqual([]);
  });
});
