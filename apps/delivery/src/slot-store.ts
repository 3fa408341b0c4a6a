/**
 * The statements on `slot` and `slot_booking` that take part in sagas and upkeep: each is one for all asks
 * of a unit.
 *
 * - S1 whoever writes slots holds `SLOTS_LOCK` first, from before it reads what is free until its
 *   transaction ends. One unit prepares, commits and cancels in an order of its own, on slots that it finds
 *   out as it goes: no order of row locks could be kept over all of that, so two such units would meet in a
 *   deadlock. Purchases want the same first slots anyway: the row of one of them would make units wait just
 *   as long.
 * - S2 a slot's counters change in the statement that changes its bookings, by what that really changed.
 */
import type { Work } from '@aura/eventing';
import { InvariantError, statement } from '@aura/platform';
import type { Ask } from '@aura/saga';
import type { BookingState } from './entities/slot-booking.entity.js';
import type { FreeSlot } from './domain/allocation.js';
import type { ParcelLine } from './domain/return-price.js';
import type { NewSlot } from './domain/slot-calendar.js';

/** S1. A key of `Work.lock`. */
export const SLOTS_LOCK = 'delivery-slots';

const OPEN = statement(
  'slot_select_open',
  `select id, region, starts_at as "startsAt", ends_at as "endsAt", capacity - held - booked as free
     from slot
    where region = any($1::text[]) and starts_at >= $2 and held + booked < capacity
    order by starts_at, id`,
);

/** Slots with room that start at `from` or later, in the order of their start. */
export function openSlots(work: Work, regions: readonly string[], from: Date): Promise<FreeSlot[]> {
  return work.run<FreeSlot>(OPEN, [regions, from]);
}

/** `max` beside each region finds the index's end; grouped, it would read all slots that ever were. */
const LAST = statement(
  'slot_select_last_start',
  `select region, (select max(starts_at) from slot where slot.region = wanted.region) as last
     from unnest($1::text[]) as wanted(region)`,
);

/** By region: when its last slot starts. A region without slots is not in it. */
export async function lastStarts(work: Work, regions: readonly string[]): Promise<ReadonlyMap<string, Date>> {
  const rows = await work.run<{ region: string; last: Date | null }>(LAST, [regions]);
  return new Map(rows.flatMap(({ region, last }) => (last === null ? [] : [[region, last] as const])));
}

/** S2. */
const HOLD = statement(
  'slot_booking_hold',
  `with held as (
     insert into slot_booking (saga_id, branch, slot_id, address_ref, parcels, contents, state, held_at)
     select saga_id, branch, slot_id, address_ref, parcels, contents, 'HELD', $7
       from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::int[], $6::jsonb[])
         as wanted(saga_id, branch, slot_id, address_ref, parcels, contents)
     returning slot_id, parcels)
   update slot set held = slot.held + more.parcels
     from (select slot_id, sum(parcels)::int as parcels from held group by slot_id) as more
    where slot.id = more.slot_id`,
);

export interface Hold {
  readonly ask: Booking;
  readonly slotId: string;
  readonly addressRef: string;
  readonly parcels: number;
  readonly contents: readonly ParcelLine[];
}

export async function hold(work: Work, holds: readonly Hold[]): Promise<void> {
  if (holds.length === 0) return;
  await work.run(HOLD, [
    holds.map(({ ask }) => ask.sagaId),
    holds.map(({ ask }) => ask.branch),
    holds.map(({ slotId }) => slotId),
    holds.map(({ addressRef }) => addressRef),
    holds.map(({ parcels }) => parcels),
    holds.map(({ contents }) => JSON.stringify(contents)),
    work.now,
  ]);
}

/** S2. `counters`: what the parcels that were held do to their slot. */
const settling = (state: 'BOOKED' | 'RELEASED', counters: string): string =>
  `with settled as (
     update slot_booking as booking set state = '${state}', settled_at = $3
       from unnest($1::uuid[], $2::text[]) as asked(saga_id, branch)
      where booking.saga_id = asked.saga_id and booking.branch = asked.branch and booking.state = 'HELD'
     returning booking.saga_id, booking.branch, booking.slot_id, booking.parcels),
   moved as (
     update slot set ${counters}
       from (select slot_id, sum(parcels)::int as parcels from settled group by slot_id) as less
      where slot.id = less.slot_id)
   select saga_id as "sagaId", branch from settled`;

const BOOK = statement(
  'slot_booking_book',
  settling('BOOKED', 'held = slot.held - less.parcels, booked = slot.booked + less.parcels'),
);
const RELEASE = statement('slot_booking_release', settling('RELEASED', 'held = slot.held - less.parcels'));

/** Whose places they are: a branch of a saga, or the pick-up of a return. */
export type Booking = Pick<Ask, 'sagaId' | 'branch'>;

/**
 * Held places become booked ones. Throws `InvariantError` where an ask holds none: nothing may stay
 * written.
 */
export async function book(work: Work, asks: readonly Ask[]): Promise<void> {
  assertAll(BOOK, asks, await settle(work, BOOK, asks));
}

/** Held places become free. Throws as `book`. */
export async function release(work: Work, asks: readonly Ask[]): Promise<void> {
  assertAll(RELEASE, asks, await settle(work, RELEASE, asks));
}

/** Books or releases what is held of these, and lets the others be. */
export async function settleHeld(work: Work, how: 'book' | 'release', of: readonly Booking[]): Promise<void> {
  await settle(work, how === 'book' ? BOOK : RELEASE, of);
}

async function settle(work: Work, what: typeof BOOK, of: readonly Booking[]): Promise<readonly Booking[]> {
  if (of.length === 0) return [];
  await work.lock(SLOTS_LOCK);
  return work.run<Booking>(what, [of.map(({ sagaId }) => sagaId), of.map(({ branch }) => branch), work.now]);
}

function assertAll(what: typeof BOOK, asks: readonly Ask[], settled: readonly Booking[]): void {
  if (settled.length === asks.length) return;
  const done = new Set(settled.map(nameOf));
  const missing = asks.map(nameOf).filter((name) => !done.has(name));
  throw new InvariantError(
    `${what.name}: ${missing.length} of ${asks.length} branches hold no place, ${missing[0]} is one: ` +
      'compare slot_booking with the barrier',
  );
}

const nameOf = ({ sagaId, branch }: Booking): string => `${sagaId}/${branch}`;

const PARCEL = statement(
  'slot_booking_parcel',
  `select booking.state, booking.address_ref as "addressRef", booking.contents, slot.region,
          slot.ends_at as "arrivesBy"
     from slot_booking as booking join slot on slot.id = booking.slot_id
    where booking.saga_id = $1
    order by booking.branch
    limit 1`,
);

/** What a purchase has of our slots. */
export interface Parcel {
  readonly state: BookingState;
  readonly addressRef: string;
  readonly contents: readonly ParcelLine[];
  readonly region: string;
  readonly arrivesBy: Date;
}

/** Undefined where there never was one. */
export async function parcelOf(work: Work, sagaId: string): Promise<Parcel | undefined> {
  const [parcel] = await work.run<Parcel & Record<string, unknown>>(PARCEL, [sagaId]);
  return parcel;
}

const MADE_DAYS = statement(
  'slot_select_days',
  `select distinct region, (starts_at at time zone 'UTC')::date::text as day
     from slot where region = any($1::text[]) and starts_at >= $2`,
);

/** The days from `from` on that have slots. */
export function daysWithSlots(
  work: Work,
  regions: readonly string[],
  from: Date,
): Promise<{ region: string; day: string }[]> {
  return work.run(MADE_DAYS, [regions, from]);
}

const MAKE = statement(
  'slot_insert',
  `insert into slot (id, region, starts_at, ends_at, capacity)
   select gen_random_uuid(), region, starts_at, ends_at, $4
     from unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) as new(region, starts_at, ends_at)`,
);

export async function makeSlots(work: Work, slots: readonly NewSlot[], capacity: number): Promise<void> {
  if (slots.length === 0) return;
  await work.run(MAKE, [
    slots.map(({ region }) => region),
    slots.map(({ startsAt }) => startsAt),
    slots.map(({ endsAt }) => endsAt),
    capacity,
  ]);
}
