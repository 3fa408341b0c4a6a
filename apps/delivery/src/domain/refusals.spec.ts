import { expect, it } from 'vitest';
import { badParcels, noSlot, unknownAddress } from './refusals.js';

const at = (day: string): Date => new Date(`${day}T16:00:00Z`);
const wish = { region: 'North', parcels: 1, notBefore: at('2026-11-27') };

it.each([1, 20])('takes %i parcels', (parcels) => {
  expect(badParcels(parcels)).toBeUndefined();
});

it.each([0, -1, 21, 1.5, Number.NaN])('says no to %d parcels', (parcels) => {
  expect(badParcels(parcels)).toEqual({
    code: 'bad-parcels',
    reason: `a delivery has 1 to 20 parcels, not ${parcels}`,
  });
});

it.each([
  [{}, at('2026-12-03'), 'no delivery slot is free in region North before 2026-12-04'],
  [
    { parcels: 3 },
    at('2026-12-03'),
    'no delivery slot is free for 3 parcels together in region North before 2026-12-04',
  ],
  [
    { notBefore: new Date('+073000-01-01T00:00:00Z') },
    at('2026-12-03'),
    'no delivery slot is open that late in region North: the last are before 2026-12-04',
  ],
  [{}, undefined, 'no delivery slot is open in region North'],
])('says until when it looked for a slot: %o', (what, last, reason) => {
  expect(noSlot({ ...wish, ...what }, last)).toEqual({ code: 'no-slot', reason });
});

it('names a reference, and nothing else that was sent in its place', () => {
  const ref = '0b9d5b0e-6f0a-4b56-9d0c-6d1a2b3c4d5e';
  expect(unknownAddress(ref).reason).toBe(`delivery knows no address ${ref}`);
  expect(unknownAddress('Jane Doe, 1 Main Street').reason).not.toMatch(/Jane|Main/);
});
