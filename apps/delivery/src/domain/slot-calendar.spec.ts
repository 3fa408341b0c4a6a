import { expect, it } from 'vitest';
import { missingSlots, regionDay } from './slot-calendar.js';

const now = new Date('2026-12-31T23:59:59.999Z');
const calendar = { regions: ['North', 'South'], slotDaysAhead: 2, slotsPerDay: 3 };
const nothing = new Set<string>();

it('C1: makes the slots of the days from tomorrow on, one after the other within the day', () => {
  const slots = missingSlots(now, { ...calendar, regions: ['North'] }, nothing);
  expect(slots.map(({ startsAt, endsAt }) => [startsAt.toISOString(), endsAt.toISOString()])).toEqual([
    ['2027-01-01T08:00:00.000Z', '2027-01-01T12:00:00.000Z'],
    ['2027-01-01T12:00:00.000Z', '2027-01-01T16:00:00.000Z'],
    ['2027-01-01T16:00:00.000Z', '2027-01-01T20:00:00.000Z'],
    ['2027-01-02T08:00:00.000Z', '2027-01-02T12:00:00.000Z'],
    ['2027-01-02T12:00:00.000Z', '2027-01-02T16:00:00.000Z'],
    ['2027-01-02T16:00:00.000Z', '2027-01-02T20:00:00.000Z'],
  ]);
});

it('C1: at midnight, tomorrow is the day after', () => {
  const [first] = missingSlots(new Date('2027-01-01T00:00:00Z'), calendar, nothing);
  expect(first?.startsAt.toISOString()).toBe('2027-01-02T08:00:00.000Z');
});

it('C2: leaves the days of a region alone that have slots', () => {
  const made = new Set([regionDay('North', '2027-01-01'), regionDay('South', '2027-01-02')]);
  const slots = missingSlots(now, { ...calendar, slotsPerDay: 1 }, made);
  expect(slots.map(({ region, startsAt }) => regionDay(region, startsAt.toISOString().slice(0, 10)))).toEqual(
    ['2027-01-01 South', '2027-01-02 North'],
  );
});

it.each([1, 7, 11, 24])(
  'C3: %i slots fill a day without gaps and overlaps, in whole minutes',
  (slotsPerDay) => {
    const slots = missingSlots(now, { regions: ['North'], slotDaysAhead: 1, slotsPerDay }, nothing);
    expect(slots).toHaveLength(slotsPerDay);
    expect(slots[0]?.startsAt.toISOString()).toBe('2027-01-01T08:00:00.000Z');
    expect(slots.at(-1)?.endsAt.toISOString()).toBe('2027-01-01T20:00:00.000Z');
    for (const [index, { startsAt, endsAt }] of slots.entries()) {
      expect(endsAt.getTime()).toBeGreaterThan(startsAt.getTime());
      expect(endsAt.getTime() % 60_000).toBe(0);
      if (index > 0) expect(startsAt).toEqual(slots[index - 1]?.endsAt);
    }
  },
);
