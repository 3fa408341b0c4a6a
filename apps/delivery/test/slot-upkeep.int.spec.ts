import { afterAll, beforeAll, expect, it } from 'vitest';
import { SlotUpkeep } from '../src/slot-upkeep.js';
import { ask, said, startDelivery, type Fixture } from './delivery-fixture.js';

let now = new Date('2026-12-01T10:00:00Z');
let fixture: Fixture;
let upkeep: SlotUpkeep;
beforeAll(async () => {
  fixture = await startDelivery({
    clock: { now: () => now },
    environment: {
      AURA_REGIONS: 'North,South',
      AURA_SLOT_DAYS_AHEAD: '3',
      AURA_SLOTS_PER_DAY: '2',
      AURA_SLOT_CAPACITY: '5',
    },
  });
  upkeep = fixture.service.app.get(SlotUpkeep);
});
afterAll(() => fixture.stop());

/** `<day> <slots> x <capacity>`, of each region and day. */
async function days(region: string): Promise<string[]> {
  const { rows } = await fixture.db.query(
    `select to_char(starts_at at time zone 'UTC', 'MM-DD') || ' ' || count(*) || ' x ' || min(capacity) as day
       from slot where region = $1 group by to_char(starts_at at time zone 'UTC', 'MM-DD') order by 1`,
    [region],
  );
  return rows.map(({ day }) => day as string);
}

it('slots are there before anybody can ask; making them again changes nothing', async () => {
  const first = ['12-02 2 x 5', '12-03 2 x 5', '12-04 2 x 5'];
  expect([await days('North'), await days('South')]).toEqual([first, first]);
  const { rows: before } = await fixture.db.query('select * from slot order by id');
  expect(await upkeep.makeMissing()).toBe(0);
  expect((await fixture.db.query('select * from slot order by id')).rows).toEqual(before);
});

it('many at once make each slot once', async () => {
  await fixture.db.query('truncate slot cascade');
  const made = await Promise.all([1, 2, 3, 4, 5, 6].map(() => upkeep.makeMissing()));
  expect(made.toSorted((one, other) => one - other)).toEqual([0, 0, 0, 0, 0, 12]);
});

it('a new day brings the slots of one more day; those of the past are kept', async () => {
  const ref = await fixture.addressIn('North');
  await fixture.run((work) => fixture.participant.prepare(ask(ref), work));
  now = new Date('2026-12-02T00:00:00Z');
  expect(await upkeep.makeMissing()).toBe(4);
  expect(await days('North')).toEqual(['12-02 2 x 5', '12-03 2 x 5', '12-04 2 x 5', '12-05 2 x 5']);
  now = new Date('2026-12-09T23:00:00Z');
  expect(await upkeep.makeMissing()).toBe(12);
  expect(await days('North')).toContain('12-02 2 x 5');
  // Slots that have passed are nobody's, whatever is free in them.
  expect(said(await fixture.run((work) => fixture.participant.prepare(ask(ref), work)))).toBe(
    '2026-12-10T08:00:00.000Z',
  );
});

it('other settings count for new days only, also in a replica that runs beside', async () => {
  const settings = { AURA_SLOTS_PER_DAY: '3', AURA_SLOT_CAPACITY: '1', AURA_SLOT_DAYS_AHEAD: '4' };
  const other = await fixture.replica({ ...settings, AURA_REGIONS: 'North,West' });
  expect((await days('North')).slice(-2)).toEqual(['12-12 2 x 5', '12-13 3 x 1']);
  expect(await days('West')).toHaveLength(4);
  expect(await upkeep.makeMissing()).toBe(0);
  expect(await other.app.get(SlotUpkeep).makeMissing()).toBe(0);
});
