/** Why delivery says no: a code for programs, one sentence for people. No address is ever in it. Pure. */
import type { Wanted } from './allocation.js';
import { dayAfter, dayOf } from './slot-calendar.js';

export interface Refusal {
  readonly code: 'bad-parcels' | 'unknown-address' | 'no-slot' | 'not-in-parcel' | 'contents-unknown';
  readonly reason: string;
}

export const MOST_PARCELS = 20;

const REFERENCE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether it has the form of the references that this service gives out. */
export function isReference(text: string): boolean {
  return REFERENCE.test(text);
}

/** Undefined where the number is one that a slot may take. */
export function badParcels(parcels: number): Refusal | undefined {
  if (Number.isInteger(parcels) && parcels >= 1 && parcels <= MOST_PARCELS) return undefined;
  return {
    code: 'bad-parcels',
    reason: `a delivery has 1 to ${MOST_PARCELS} parcels, not ${parcels}`,
  };
}

/** Names the reference only where it is one: somebody may have sent the address itself. */
export function unknownAddress(ref: string): Refusal {
  const reason = isReference(ref)
    ? `delivery knows no address ${ref}`
    : 'what stands for the address is no reference that delivery gave out';
  return { code: 'unknown-address', reason };
}

/** `lastStart`: of the region's last slot; undefined where it has none. */
export function noSlot({ region, parcels, notBefore }: Wanted, lastStart: Date | undefined): Refusal {
  return { code: 'no-slot', reason: sentence() };

  function sentence(): string {
    if (lastStart === undefined) return `no delivery slot is open in region ${region}`;
    const end = dayOf(dayAfter(lastStart));
    if (notBefore > lastStart)
      return `no delivery slot is open that late in region ${region}: the last are before ${end}`;
    const together = parcels > 1 ? ` for ${parcels} parcels together` : '';
    return `no delivery slot is free${together} in region ${region} before ${end}`;
  }
}
