import type { Refund } from '@aura/schemas';
import { expect, it } from 'vitest';
import { paymentToRefund, type Refundable } from './refund-rules.js';

const asked: Refund = { purchaseId: 'p', amountCents: 1_000n, currency: 'EUR' };
const paid: Refundable = { authorisation: 'auth-1', collectedCents: 3_000n, refundedCents: 2_000n };

it('what is left of a payment can go back, to the last cent', () => {
  expect(paymentToRefund(asked, paid)).toBe(paid);
});

it.each([
  ['amount-not-positive', "a refund of 0.00 EUR can't be made: it must be above 0", { amountCents: 0n }, {}],
  [
    'amount-not-positive',
    "a refund of -0.01 EUR can't be made: it must be above 0",
    { amountCents: -1n },
    {},
  ],
  ['currency-not-supported', 'refunds are made in EUR only, not in USD', { currency: 'USD' }, {}],
  [
    'not-captured',
    'the money of purchase p has not arrived from the card yet: try again in a moment',
    {},
    { collectedCents: 0n, refundedCents: 0n },
  ],
  [
    'more-than-is-left',
    "30.00 EUR were paid for this purchase, and 20.00 EUR went back before: 10.01 EUR can't be paid back",
    { amountCents: 1_001n },
    {},
  ],
  [
    'more-than-is-left',
    "30.00 EUR were paid for this purchase: 30.01 EUR can't be paid back",
    { amountCents: 3_001n },
    { refundedCents: 0n },
  ],
])('is refused as %s: %s', (code, reason, change, was) => {
  const refusal = paymentToRefund({ ...asked, ...change }, { ...paid, ...was });
  expect(refusal).toEqual({ prepared: false, code, reason });
});

it('nothing was paid: nothing goes back', () => {
  expect(paymentToRefund(asked, undefined)).toMatchObject({ code: 'unknown-purchase' });
});
