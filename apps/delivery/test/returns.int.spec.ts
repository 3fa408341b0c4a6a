/** Delivery's own part in a return: what it prices, what it refuses by itself, and the pick-up. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { returnOutfit } from '../src/return-outfit.saga.js';
import { ask, counters, startDelivery, unbalanced, type Fixture } from './delivery-fixture.js';

// Two days of one slot for two parcels, in one region: 08:00 to 20:00.
const now = new Date('2026-12-01T10:00:00Z');
const [FIRST, LAST] = ['2026-12-02T08:00:00.000Z', '2026-12-03T08:00:00.000Z'];
const SHIRT = { sku: 'SHI-101-WHT', size: 'M', quantity: 2, unitPriceCents: 4_990 };
const BELT = { sku: 'BEL-101-BLK', size: 'L', quantity: 1, unitPriceCents: 1_995 };

let fixture: Fixture;
let north: string;
beforeAll(async () => {
  fixture = await startDelivery({
    clock: { now: () => now },
    environment: {
      AURA_REGIONS: 'North',
      AURA_SLOT_DAYS_AHEAD: '2',
      AURA_SLOTS_PER_DAY: '1',
      AURA_SLOT_CAPACITY: '2',
      AURA_RETURN_WAIT_MS: '0',
    },
  });
  north = await fixture.addressIn('North');
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  await fixture.db.query('truncate slot_booking, parcel_return');
  await fixture.db.query('update slot set held = 0, booked = 0');
});

async function held(contents = [SHIRT, BELT]): Promise<ReturnType<typeof ask>> {
  const purchase = ask(north, { contents });
  await fixture.run((work) => fixture.participant.prepare(purchase, work));
  return purchase;
}

async function delivered(contents = [SHIRT, BELT]): Promise<string> {
  const purchase = await held(contents);
  await fixture.run((work) => fixture.participant.commit(purchase, work));
  return purchase.sagaId;
}

type Line = { sku: string; size: string; quantity: number };
const line = ({ sku, size }: Line, quantity = 1): Line => ({ sku, size, quantity });

async function giveBack(purchaseId: string, items: readonly Line[], key: string = randomUUID()) {
  const response = await fetch(`${fixture.service.url}/returns`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'Idempotency-Key': key },
    body: JSON.stringify({ purchaseId, items }),
  });
  const body = (await response.json()) as Record<string, unknown>;
  return { status: response.status, location: response.headers.get('location'), body };
}

describe('a return', () => {
  it('is begun at the price that was paid, with a pick-up after the parcel has arrived', async () => {
    const purchase = await delivered();
    const { status, location, body } = await giveBack(purchase, [line(SHIRT), line(BELT)]);
    expect([status, location]).toEqual([202, `/returns/${String(body['id'])}`]);
    expect(body).toMatchObject({
      purchaseId: purchase,
      state: 'returning',
      settled: false,
      refundCents: 6_985,
      pickUp: { state: 'held', startsAt: LAST },
      branches: [
        { name: 'restock', service: 'inventory', state: 'asked' },
        { name: 'refund', service: 'payments', state: 'waiting' },
        { name: 'notice', service: 'checkout', state: 'waiting' },
      ],
    });
    const { rows } = await fixture.db.query('select starts_at, held, booked from slot order by starts_at');
    expect(rows).toEqual([
      { starts_at: new Date(FIRST), held: 0, booked: 1 },
      { starts_at: new Date(LAST), held: 1, booked: 0 },
    ]);
  });

  it('is one, with one pick-up, however often its key comes at once', async () => {
    const purchase = await delivered();
    const key = randomUUID();
    const answers = await Promise.all([1, 2, 3, 4].map(() => giveBack(purchase, [line(BELT)], key)));
    expect(new Set(answers.map(({ body }) => body['id'])).size).toBe(1);
    expect(await counters(fixture.db)).toMatchObject({ held: 1, booked: 1 });
    expect((await giveBack(purchase, [line(SHIRT)], key)).status).toBe(422);
  });

  it.each([
    ['not-in-parcel', 'nothing of SKU-7 in size M was sold in this purchase', [SHIRT], 'SKU-7'],
    ['contents-unknown', 'nobody has told delivery what was in the parcel of this purchase', [], SHIRT.sku],
  ])('is refused as %s: %s', async (code, reason, contents, sku) => {
    const purchase = await delivered(contents);
    expect(await giveBack(purchase, [{ sku, size: 'M', quantity: 1 }])).toMatchObject({
      status: 409,
      body: {
        type: 'urn:aura:problem:return-refused',
        branch: 'pick-up',
        code,
        detail: `Purchase ${purchase} can't be returned: ${reason}.`,
      },
    });
    expect(await counters(fixture.db)).toMatchObject({ held: 0 });
  });

  it('is refused where nobody can fetch it after it has arrived', async () => {
    const purchase = await delivered();
    await fixture.db.query('update slot set booked = capacity where starts_at = $1', [LAST]);
    expect(await giveBack(purchase, [line(SHIRT)])).toMatchObject({
      status: 409,
      body: { branch: 'pick-up', code: 'no-slot' },
    });
  });

  it('is none while the parcel is not on its way, or where there never was one', async () => {
    const waiting = await held();
    const notDelivered = { status: 409, body: { type: 'urn:aura:problem:not-delivered' } };
    expect(await giveBack(waiting.sagaId, [line(SHIRT)])).toMatchObject(notDelivered);
    await fixture.run((work) => fixture.participant.cancel(waiting, work));
    expect(await giveBack(waiting.sagaId, [line(SHIRT)])).toMatchObject(notDelivered);
    expect(await giveBack(randomUUID(), [line(SHIRT)])).toMatchObject({ status: 404 });
  });

  it('that was begun can’t be returned itself', async () => {
    const { body } = await giveBack(await delivered(), [line(SHIRT)]);
    const id = String(body['id']);
    await fixture.run((work) => decide(id, true, work));
    expect(await giveBack(id, [line(SHIRT)])).toMatchObject({
      status: 409,
      body: { code: 'contents-unknown' },
    });
  });
});

const decide: (id: string, committed: boolean, work: Parameters<NonNullable<Decided>>[1]) => Promise<void> = (
  id,
  committed,
  work,
) =>
  (returnOutfit(1_000).whenDecided as NonNullable<Decided>)(
    [{ id, committed, why: null, replies: {} }],
    work,
  );
type Decided = ReturnType<typeof returnOutfit>['whenDecided'];

describe('a decision', () => {
  it.each([
    [true, 'booked', { held: 0, booked: 2 }],
    [false, 'released', { held: 0, booked: 1 }],
  ])('committed %s: its pick-up is %s', async (committed, state, places) => {
    const { body } = await giveBack(await delivered(), [line(SHIRT)]);
    const id = String(body['id']);
    await fixture.run((work) => decide(id, committed, work));
    const answer = await fetch(`${fixture.service.url}/returns/${id}`);
    expect(await answer.json()).toMatchObject({ pickUp: { state } });
    expect(await counters(fixture.db)).toMatchObject(places);
    expect(await unbalanced(fixture.db)).toEqual([]);
  });

  it('stands where its pick-up was forgotten with a database that was put back', async () => {
    const { body } = await giveBack(await delivered(), [line(SHIRT)]);
    await fixture.db.query("delete from slot_booking where branch = 'pick-up'");
    await fixture.run((work) => decide(String(body['id']), true, work));
    const answer = await fetch(`${fixture.service.url}/returns/${String(body['id'])}`);
    expect(await answer.json()).toMatchObject({ pickUp: null });
  });
});
