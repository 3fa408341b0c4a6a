/** What payments gives back, and what it does not. Pure. */
import type { Refund } from '@aura/schemas';
import { CURRENCY, refuse, type Refusal } from './payment-rules.js';

/** What was paid for a purchase, and how much of it went back. */
export interface Refundable {
  /** What the provider calls the payment. */
  readonly authorisation: string;
  /** 0: the provider has not confirmed that it took the money. */
  readonly collectedCents: bigint;
  readonly refundedCents: bigint;
}

/** The payment that this refund is to be asked of, or why it can't be asked of any. */
export function paymentToRefund(
  { purchaseId, amountCents, currency }: Refund,
  paid: Refundable | undefined,
): Refundable | Refusal {
  if (amountCents <= 0n)
    return refuse(
      'amount-not-positive',
      `a refund of ${euro(amountCents)} can't be made: it must be above 0`,
    );
  if (currency !== CURRENCY)
    return refuse('currency-not-supported', `refunds are made in ${CURRENCY} only, not in ${currency}`);
  if (!paid) return refuse('unknown-purchase', `no money was taken for purchase ${purchaseId}`);
  const { collectedCents, refundedCents } = paid;
  // No earlier try can be under way at the provider: what was collected once stays so.
  if (collectedCents === 0n)
    return refuse(
      'not-captured',
      `the money of purchase ${purchaseId} has not arrived from the card yet: try again in a moment`,
    );
  if (refundedCents + amountCents <= collectedCents) return paid;
  const before = refundedCents === 0n ? '' : `, and ${euro(refundedCents)} went back before`;
  return refuse(
    'more-than-is-left',
    `${euro(collectedCents)} were paid for this purchase${before}: ${euro(amountCents)} can't be paid back`,
  );
}

function euro(cents: bigint): string {
  return `${(Number(cents) / 100).toFixed(2)} ${CURRENCY}`;
}
