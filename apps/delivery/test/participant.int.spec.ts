import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ask, counters, said, startDelivery, unbalanced, type Fixture } from './delivery-fixture.js';

// Two days of two slots, 08:00 and 14:00, for 3 parcels each, in two regions.
const now = new Date('2026-12-01T10:00:00Z');
const [DAY1, DAY2] = ['2026-12-02', '2026-12-03'];
const MORNING = 'T08:00:00.000Z';
const AFTERNOON = 'T14:00:00.000Z';

let fixture: Fixture;
let north: string;
let south: string;
beforeAll(async () => {
  fixture = await startDelivery({
    clock: { now: () => now },
    environment: {
      AURA_REGIONS: 'North,South',
      AURA_SLOT_DAYS_AHEAD: '2',
      AURA_SLOTS_PER_DAY: '2',
      AURA_SLOT_CAPACITY: '3',
    },
  });
  north = await fixture.addressIn('North');
  south = await fixture.addressIn('South');
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  await fixture.db.query('truncate slot_booking');
  await fixture.db.query('update slot set held = 0, booked = 0');
});

const prepare = (asked: ReturnType<typeof ask>) =>
  fixture.run((work) => fixture.participant.prepare(asked, work));
const prepareAll = (asks: ReturnType<typeof ask>[]) =>
  fixture.run((work) => fixture.participant.prepareAll(asks, work));

async function bookings(sagaId: string): Promise<object[]> {
  const { rows } = await fixture.db.query(
    `select slot.starts_at as at, state, parcels, settled_at is not null as settled
       from slot_booking join slot on slot.id = slot_id where saga_id = $1`,
    [sagaId],
  );
  return rows;
}

describe('one ask', () => {
  it('holds places in the first slot of its region, and says which', async () => {
    const asked = ask(north, { parcels: 2 });
    const vote = await prepare(asked);
    const { rows } = await fixture.db.query('select id, region, held, booked from slot where held > 0');
    expect(rows).toEqual([{ id: expect.any(String), region: 'North', held: 2, booked: 0 }]);
    expect(vote).toEqual({
      prepared: true,
      reply: { slotId: rows[0].id, startsAt: `${DAY1}${MORNING}`, endsAt: `${DAY1}${AFTERNOON}` },
    });
    expect(await bookings(asked.sagaId)).toEqual([
      { at: new Date(`${DAY1}${MORNING}`), state: 'HELD', parcels: 2, settled: false },
    ]);
  });

  it('keeps its parcels together: a slot with too little room is passed over', async () => {
    await prepare(ask(north, { parcels: 2 }));
    expect(said(await prepare(ask(north, { parcels: 2 })))).toBe(`${DAY1}${AFTERNOON}`);
    expect(said(await prepare(ask(north, { parcels: 1 })))).toBe(`${DAY1}${MORNING}`);
  });

  it('gets no slot before it wants one, nor one that has begun', async () => {
    expect(said(await prepare(ask(north, { notBefore: new Date(`${DAY1}T08:00:00.001Z`) })))).toBe(
      `${DAY1}${AFTERNOON}`,
    );
    expect(said(await prepare(ask(north, { notBefore: new Date('-069000-01-01T00:00:00Z') })))).toBe(
      `${DAY1}${MORNING}`,
    );
    await fixture.db.query(
      `insert into slot (id, region, starts_at, ends_at, capacity)
       values (gen_random_uuid(), 'North', '2026-12-01T09:59:59Z', '2026-12-01T12:00Z', 9)`,
    );
    expect(said(await prepare(ask(north)))).toBe(`${DAY1}${MORNING}`);
    await fixture.db.query('delete from slot where capacity = 9');
  });

  it('commits: held becomes booked, once', async () => {
    const asked = ask(north, { parcels: 2 });
    await prepare(asked);
    await fixture.run((work) => fixture.participant.commit(asked, work));
    expect(await bookings(asked.sagaId)).toMatchObject([{ state: 'BOOKED', settled: true }]);
    expect(await counters(fixture.db)).toEqual({ held: 0, booked: 2, free: 22 });
    await expect(fixture.run((work) => fixture.participant.commit(asked, work))).rejects.toThrow(
      asked.sagaId,
    );
    await expect(fixture.run((work) => fixture.participant.cancel(asked, work))).rejects.toThrow(
      asked.sagaId,
    );
    expect(await counters(fixture.db)).toEqual({ held: 0, booked: 2, free: 22 });
  });

  it('cancels: the places are free for the next one', async () => {
    const asked = ask(north, { parcels: 3 });
    await prepare(asked);
    await fixture.run((work) => fixture.participant.cancel(asked, work));
    expect(await bookings(asked.sagaId)).toMatchObject([{ state: 'RELEASED', settled: true }]);
    expect(await counters(fixture.db)).toEqual({ held: 0, booked: 0, free: 24 });
    expect(said(await prepare(ask(north, { parcels: 3 })))).toBe(`${DAY1}${MORNING}`);
  });
});

describe('a refusal holds nothing and names code and reason', () => {
  const unknown = randomUUID();
  it.each([
    ['an unknown address', {}, unknown, 'unknown-address', `delivery knows no address ${unknown}`],
    [
      'an address in place of its reference',
      {},
      'Jane \u0000',
      'unknown-address',
      /^what stands for the address/,
    ],
    ['no parcels', { parcels: 0 }, undefined, 'bad-parcels', 'a delivery has 1 to 20 parcels, not 0'],
    ['21 parcels', { parcels: 21 }, undefined, 'bad-parcels', 'a delivery has 1 to 20 parcels, not 21'],
    [
      'more than a slot takes',
      { parcels: 4 },
      undefined,
      'no-slot',
      /^no delivery slot is free for 4 parcels/,
    ],
    ['a day that is not open', { notBefore: new Date('2027-05-01') }, undefined, 'no-slot', /open that late/],
  ])('%s', async (_, input, ref, code, reason) => {
    const vote = await prepare(ask(ref ?? north, input));
    expect(vote).toEqual({
      prepared: false,
      code,
      reason: typeof reason === 'string' ? reason : expect.stringMatching(reason),
    });
    expect(await counters(fixture.db)).toEqual({ held: 0, booked: 0, free: 24 });
    expect((await fixture.db.query('select from slot_booking')).rowCount).toBe(0);
  });

  it('a region that is full, until the day it says', async () => {
    await prepareAll([1, 2, 3, 4].map(() => ask(north, { parcels: 3 })));
    expect(await prepare(ask(north))).toEqual({
      prepared: false,
      code: 'no-slot',
      reason: 'no delivery slot is free in region North before 2026-12-04',
    });
    expect(said(await prepare(ask(south)))).toBe(`${DAY1}${MORNING}`);
  });

  it('a region that has no slots yet', async () => {
    const west = await fixture.addressIn('West');
    expect(await prepare(ask(west))).toMatchObject({ reason: 'no delivery slot is open in region West' });
  });
});

describe('many asks together', () => {
  it('get, each in its turn, what they would get alone', async () => {
    const votes = await prepareAll([
      ask(north, { parcels: 2 }),
      ask(north, { parcels: 2 }),
      ask(north, { parcels: 21 }),
      ask(south, { parcels: 3 }),
      ask(north, { parcels: 1 }),
      ask(randomUUID()),
      ask(north, { parcels: 4 }),
      ask(north, { parcels: 1, notBefore: new Date(`${DAY2}${AFTERNOON}`) }),
    ]);
    expect(votes.map(said)).toEqual([
      `${DAY1}${MORNING}`,
      `${DAY1}${AFTERNOON}`,
      'bad-parcels',
      `${DAY1}${MORNING}`,
      `${DAY1}${MORNING}`,
      'unknown-address',
      'no-slot',
      `${DAY2}${AFTERNOON}`,
    ]);
    expect(await counters(fixture.db)).toEqual({ held: 9, booked: 0, free: 15 });
    expect(await unbalanced(fixture.db)).toEqual([]);
  });

  it('may be several branches of one saga', async () => {
    const one = ask(north);
    const other = { ...ask(south), sagaId: one.sagaId, branch: 'return' };
    expect((await prepareAll([one, other])).map(said)).toEqual([`${DAY1}${MORNING}`, `${DAY1}${MORNING}`]);
    await fixture.run((work) => fixture.participant.commit(other, work));
    expect(await counters(fixture.db)).toMatchObject({ held: 1, booked: 1 });
  });

  it('are committed and cancelled together, or, where one holds nothing, not at all', async () => {
    const [a, b, c, d] = [ask(north), ask(north), ask(south), ask(north)];
    await prepareAll([a, b, c]);
    await expect(fixture.run((work) => fixture.participant.commitAll([a, b, d], work))).rejects.toThrow(
      `1 of 3 branches hold no place, ${d.sagaId}/delivery`,
    );
    expect(await counters(fixture.db)).toMatchObject({ held: 3, booked: 0 });
    await fixture.run(async (work) => {
      await fixture.participant.commitAll([a, c], work);
      await fixture.participant.cancelAll([b], work);
    });
    expect(await counters(fixture.db)).toEqual({ held: 0, booked: 2, free: 22 });
    expect(await unbalanced(fixture.db)).toEqual([]);
  });

  it('of none do nothing', async () => {
    expect(await prepareAll([])).toEqual([]);
    await fixture.run((work) => fixture.participant.commitAll([], work));
    await fixture.run((work) => fixture.participant.cancelAll([], work));
  });
});

it('the database itself refuses more parcels than a slot takes', async () => {
  const over = fixture.db.query('update slot set held = 2, booked = 2');
  await expect(over).rejects.toMatchObject({ code: '23514' });
  await expect(fixture.db.query('update slot set held = -1')).rejects.toMatchObject({ code: '23514' });
});
