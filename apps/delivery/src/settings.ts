import { integer, list } from '@aura/service';

/** A region's name, as people read it in a refusal. */
const REGION = /^[A-Za-z][A-Za-z -]{0,39}$/;

/** What only this service is told. The bounds keep what a unit reads small: see domain/slot-calendar.ts. */
export const settings = {
  regions: list()
    .refine((regions) => regions.length <= 20, 'must name at most 20')
    .refine((regions) => regions.every((name) => REGION.test(name)), 'must be names of letters')
    .refine((regions) => new Set(regions).size === regions.length, 'must not name one twice')
    .default(['North', 'East', 'South', 'West'])
    .describe('Where we deliver: names with commas. Slots are made for each.'),
  slotDaysAhead: integer(1, 60)
    .default(14)
    .describe('For how many days from tomorrow (UTC) delivery slots are made.'),
  slotsPerDay: integer(1, 24).default(4).describe('Delivery slots of a region and day.'),
  slotCapacity: integer(1, 1_000_000)
    .default(50)
    .describe('Parcels that fit into a new slot. Slots that are there keep theirs.'),
  returnWaitMs: integer(0, 20_000)
    .default(3_000)
    .describe('How long a return waits for its decision before it is answered with 202 (ms).'),
  returnPrepareMs: integer(100, 600_000)
    .default(10_000)
    .describe('How long stock and payment have to agree to a return (ms).'),
} as const;
