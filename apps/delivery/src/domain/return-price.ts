/**
 * What a return is worth: what was paid for its pieces, as the parcel's contents say. Pure. Whether they may
 * come back is for others to say: inventory knows what was sold and returned, payments what is left of the
 * money.
 */
import type { Refusal } from './refusals.js';

/** Pieces of one garment in one size. */
export interface ReturnedLine {
  readonly sku: string;
  readonly size: string;
  readonly quantity: number;
}

/** What is in a parcel, and what was paid for each piece. */
export interface ParcelLine extends ReturnedLine {
  readonly unitPriceCents: number;
}

/** In cents, or why it can't be said. */
export function returnPrice(
  items: readonly ReturnedLine[],
  contents: readonly ParcelLine[],
): number | Refusal {
  if (contents.length === 0)
    return {
      code: 'contents-unknown',
      reason: 'nobody has told delivery what was in the parcel of this purchase',
    };
  let cents = 0;
  for (const { sku, size, quantity } of items) {
    const sold = contents.find((line) => line.sku === sku && line.size === size);
    if (!sold)
      return { code: 'not-in-parcel', reason: `nothing of ${sku} in size ${size} was sold in this purchase` };
    cents += quantity * sold.unitPriceCents;
  }
  return cents;
}
