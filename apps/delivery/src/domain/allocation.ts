/**
 * Which slot each purchase gets. Pure.
 *
 * - D1 no slot gets more parcels than it has free places;
 * - D2 a purchase's parcels stay together, in one slot;
 * - D3 a purchase gets the first slot that fits: of its region, at or after its `notBefore`, with room;
 * - D4 purchases are served in the given order, each as if it came alone after those before it.
 */
export interface Wanted {
  readonly region: string;
  readonly parcels: number;
  readonly notBefore: Date;
}

export interface FreeSlot {
  readonly id: string;
  readonly region: string;
  readonly startsAt: Date;
  readonly endsAt: Date;
  /** Places for parcels. */
  readonly free: number;
}

/**
 * The slot of each purchase, in the order of the purchases; undefined where none fits. `slots` are in the
 * order of their start.
 */
export function allocate(
  purchases: readonly Wanted[],
  slots: readonly FreeSlot[],
): readonly (FreeSlot | undefined)[] {
  const left = new Map(slots.map((slot) => [slot.id, slot.free]));
  const byRegion = Map.groupBy(slots, (slot) => slot.region);
  return purchases.map(({ region, parcels, notBefore }) => {
    const slot = byRegion
      .get(region)
      ?.find(({ id, startsAt }) => startsAt >= notBefore && (left.get(id) ?? 0) >= parcels);
    if (slot) left.set(slot.id, (left.get(slot.id) ?? 0) - parcels);
    return slot;
  });
}
