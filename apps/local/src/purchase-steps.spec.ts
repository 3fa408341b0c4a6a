import { describe, expect, it } from 'vitest';
import { money, slotText, stepsBetween, type Branch, type Purchase } from './purchase-steps.js';

const SLOT = { startsAt: '2026-11-28T08:00:00.000Z', endsAt: '2026-11-28T11:00:00.000Z' };
const branch = (name: string, state: string, more: Partial<Branch> = {}): Branch => ({
  name,
  service: `of-${name}`,
  state,
  reply: null,
  refusal: null,
  ...more,
});
const purchase = (branches: Branch[], more: Partial<Purchase> = {}): Purchase => ({
  id: '1',
  state: 'buying',
  why: null,
  settled: false,
  lines: [{ sku: 'A', size: 'M', quantity: 2, name: 'A', priceCents: 100 }],
  totalCents: 12_345,
  currency: 'EUR',
  branches,
  decidedAt: null,
  ...more,
});
const lines = (before: Purchase | undefined, now: Purchase): string[] =>
  stepsBetween(before, now, 7).map(({ what, state, words }) => `${what} ${state}: ${words}`);

describe('what has moved in a purchase', () => {
  it('is nothing while its branches are only asked', () => {
    expect(lines(undefined, purchase([branch('stock', 'asked'), branch('payment', 'waiting')]))).toEqual([]);
  });

  it('is each branch that went on, once, with what it holds', () => {
    const before = purchase([
      branch('stock', 'prepared'),
      branch('payment', 'asked'),
      branch('delivery', 'asked'),
    ]);
    const now = purchase([
      branch('stock', 'prepared'),
      branch('payment', 'prepared'),
      branch('delivery', 'prepared', { reply: SLOT }),
    ]);
    expect(lines(before, now)).toEqual([
      'payment prepared: held: 123.45 EUR authorised',
      'delivery prepared: held: Sat 28 Nov, 08:00 to 11:00 UTC',
    ]);
    expect(lines(now, now)).toEqual([]);
    expect(stepsBetween(undefined, before, 7)).toEqual([
      { what: 'stock', service: 'of-stock', state: 'prepared', words: 'held: 2 pieces put aside', ms: 7 },
    ]);
  });

  it('is told as it must have happened where one look finds all: vote, decision, its effect, the end', () => {
    const refusal = { code: 'declined', reason: 'the card was declined' };
    const now = purchase([branch('stock', 'cancelled'), branch('payment', 'refused', { refusal })], {
      state: 'refused',
      why: { branch: 'payment', code: 'declined', reason: 'payment said no: the card was declined' },
      settled: true,
    });
    expect(lines(purchase([branch('stock', 'asked'), branch('payment', 'asked')]), now)).toEqual([
      'payment refused: the card was declined',
      'purchase refused: decided: payment said no: the card was declined',
      'stock cancelled: nothing is put aside any more',
      'purchase settled: every service has done its part',
    ]);
  });

  it('has money with its cents, and a slot that is not known as one', () => {
    expect([money(5, 'EUR'), money(100_000, 'EUR'), slotText(null)]).toEqual([
      '0.05 EUR',
      '1000.00 EUR',
      'a slot',
    ]);
  });
});
