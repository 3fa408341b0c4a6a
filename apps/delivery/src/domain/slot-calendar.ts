/**
 * Which slots there have to be. Pure.
 *
 * - C1 days are UTC's; slots are made from tomorrow on: nothing is promised for a slot that may have begun;
 * - C2 a day of a region that has slots keeps them as they are, whatever the settings say now: nothing
 *   overlaps, and nothing that was promised changes;
 * - C3 at most regions x days x slots of a day: 20 x 60 x 24 by the bounds of the settings.
 */
export interface SlotCalendar {
  readonly regions: readonly string[];
  /** From tomorrow. */
  readonly slotDaysAhead: number;
  readonly slotsPerDay: number;
}

export interface NewSlot {
  readonly region: string;
  readonly startsAt: Date;
  readonly endsAt: Date;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Parcels are brought between these, in minutes of the day (UTC). */
const OPENS_AT = 8 * 60;
const CLOSES_AT = 20 * 60;

/** `2026-12-04`. */
export function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}

/** Midnight after `time`. */
export function dayAfter(time: Date): Date {
  return new Date((Math.floor(time.getTime() / DAY_MS) + 1) * DAY_MS);
}

/** A day of a region: what slots are made for. */
export function regionDay(region: string, day: string): string {
  return `${day} ${region}`;
}

/** The slots that are missing at `now`; `made`: what `regionDay` gives for days that have slots. */
export function missingSlots(now: Date, calendar: SlotCalendar, made: ReadonlySet<string>): NewSlot[] {
  const { regions, slotDaysAhead } = calendar;
  const first = dayAfter(now).getTime();
  const days = Array.from({ length: slotDaysAhead }, (_, index) => new Date(first + index * DAY_MS));
  return days.flatMap((day) =>
    regions
      .filter((region) => !made.has(regionDay(region, dayOf(day))))
      .flatMap((region) => slotsOfDay(region, day, calendar.slotsPerDay)),
  );
}

/** One after the other, from opening to closing, in whole minutes. */
function slotsOfDay(region: string, midnight: Date, count: number): NewSlot[] {
  const edge = (index: number): Date => {
    const minute = OPENS_AT + Math.round((index * (CLOSES_AT - OPENS_AT)) / count);
    return new Date(midnight.getTime() + minute * MINUTE_MS);
  };
  return Array.from({ length: count }, (_, index) => ({
    region,
    startsAt: edge(index),
    endsAt: edge(index + 1),
  }));
}
