import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocate, type FreeSlot, type Wanted } from './allocation.js';

const hour = (n: number): Date => new Date(Date.UTC(2026, 11, 1, n));
const slot = (id: string, at: number, free: number, region = 'North'): FreeSlot => ({
  id,
  region,
  startsAt: hour(at),
  endsAt: hour(at + 1),
  free,
});
const wish = (parcels: number, from = 0, region = 'North'): Wanted => ({
  region,
  parcels,
  notBefore: hour(from),
});
const ids = (purchases: Wanted[], slots: FreeSlot[]): (string | undefined)[] =>
  allocate(purchases, slots).map((each) => each?.id);

describe('the slot of a purchase', () => {
  it('D3: is the first of its region, at or after the wanted time, with room', () => {
    const slots = [slot('a', 1, 5, 'South'), slot('b', 2, 1), slot('c', 3, 5), slot('d', 4, 5)];
    expect(ids([wish(1)], slots)).toEqual(['b']);
    expect(ids([wish(2)], slots)).toEqual(['c']);
    expect(ids([wish(2, 4)], slots)).toEqual(['d']);
    expect(ids([wish(2, 5)], slots)).toEqual([undefined]);
    expect(ids([wish(1, 0, 'West')], slots)).toEqual([undefined]);
  });

  it('D2: takes all parcels or none', () => {
    expect(ids([wish(3)], [slot('a', 1, 2), slot('b', 2, 2)])).toEqual([undefined]);
  });

  it('D4: leaves to those behind what those before did not take', () => {
    expect(ids([wish(3), wish(3), wish(2), wish(1)], [slot('a', 1, 5), slot('b', 2, 4)])).toEqual([
      'a',
      'b',
      'a',
      'b',
    ]);
  });
});

const regions = fc.constantFrom('North', 'South');
const slots = fc
  .array(
    fc.record({ region: regions, at: fc.integer({ min: 0, max: 6 }), free: fc.integer({ min: 0, max: 8 }) }),
    {
      maxLength: 8,
    },
  )
  .map((made) =>
    made
      .toSorted((one, other) => one.at - other.at)
      .map(({ region, at, free }, index) => slot(`s${index}`, at, free, region)),
  );
const purchases = fc.array(
  fc
    .record({
      region: regions,
      parcels: fc.integer({ min: 1, max: 5 }),
      from: fc.integer({ min: 0, max: 7 }),
    })
    .map(({ region, parcels, from }) => wish(parcels, from, region)),
  { maxLength: 20 },
);

/**
 * One after the other against what is left, written as plainly as it can be: what a single prepare does.
 */
function oneByOne(wishes: Wanted[], all: FreeSlot[]): (string | undefined)[] {
  let left = all;
  return wishes.map((each) => {
    const fits = left.filter(
      ({ region, startsAt, free }) =>
        region === each.region && startsAt.getTime() >= each.notBefore.getTime() && free - each.parcels >= 0,
    );
    const [first] = fits;
    left = left.map((one) => (one === first ? { ...one, free: one.free - each.parcels } : one));
    return first?.id;
  });
}

describe('any purchases and slots', () => {
  it('D4: together get what they would get one by one', () => {
    fc.assert(
      fc.property(purchases, slots, (wishes, all) => {
        expect(ids(wishes, all)).toEqual(oneByOne(wishes, all));
      }),
      { numRuns: 1_000 },
    );
  });

  it('D1: never get more of a slot than is free, and only of their own region and time', () => {
    fc.assert(
      fc.property(purchases, slots, (wishes, all) => {
        const taken = allocate(wishes, all);
        for (const each of all) {
          const of = wishes.filter((_, index) => taken[index]?.id === each.id);
          expect(of.reduce((sum, { parcels }) => sum + parcels, 0)).toBeLessThanOrEqual(each.free);
          expect(
            of.every(({ region, notBefore }) => region === each.region && notBefore <= each.startsAt),
          ).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
