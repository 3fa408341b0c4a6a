/** What payments takes, and what its ledger's entries mean. Pure. */
import type { Vote } from '@aura/saga';
import type { PaymentHold } from '@aura/schemas';

/** The one currency for now, also a CHECK of the ledger. */
export const CURRENCY = 'EUR';
/** 10 million euro, also a CHECK of the ledger: an amount fits a JSON number. */
export const MOST_CENTS = 1_000_000_000n;

export type Refusal = Vote & { readonly prepared: false };

/** Why this hold can't be asked of any provider; undefined where it can. */
export function refusalOf({ amountCents, currency }: PaymentHold): Refusal | undefined {
  if (amountCents <= 0n)
    return refuse(
      'amount-not-positive',
      `a payment of ${amountCents} cents can't be held: it must be above 0`,
    );
  if (amountCents > MOST_CENTS)
    return refuse(
      'amount-too-large',
      `a payment of ${amountCents} cents is above the limit of ${MOST_CENTS}`,
    );
  if (currency !== CURRENCY)
    return refuse('currency-not-supported', `payments are taken in ${CURRENCY} only, not in ${currency}`);
  return undefined;
}

export function unknownMethod(ref: string): Refusal {
  return refuse('payment-method-unknown', `there is no payment method ${ref}`);
}

export function refuse(code: string, reason: string): Refusal {
  return { prepared: false, code, reason };
}

export type EntryKind = 'authorised' | 'cancelled' | 'captured' | 'collected' | 'refunded';

export interface Entry {
  readonly kind: EntryKind;
  readonly debit: string;
  readonly credit: string;
  readonly amountCents: number;
  readonly currency: string;
  readonly at: Date;
}

/** In the order in which the ledger lets them follow each other; refunds may be many. */
const ORDER: readonly EntryKind[] = ['authorised', 'captured', 'cancelled', 'collected', 'refunded'];

/** As they followed each other: entries of one moment too. */
export function inOrder(entries: readonly Entry[]): Entry[] {
  return entries.toSorted(
    (a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || a.at.getTime() - b.at.getTime(),
  );
}
