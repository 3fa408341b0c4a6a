import type { SagaView } from '@aura/saga';
import { expect, it } from 'vitest';
import { purchaseView, type PurchaseRow } from './purchase-view.js';

const at = new Date('2026-11-24T20:15:00.000Z');
const row: PurchaseRow = { id: 'p', lines: [], totalCents: 100, currency: 'EUR', askedAt: at };
const saga: SagaView = {
  id: 'p',
  type: 'buy-outfit',
  version: 1,
  phase: 'PREPARING',
  branches: [
    {
      name: 'stock',
      type: 'inventory.StockHold',
      owner: 'inventory',
      kind: 'reservable',
      state: 'PREPARED',
      refusal: null,
    },
    {
      name: 'payment',
      type: 'payments.PaymentHold',
      owner: 'payments',
      kind: 'external',
      state: 'ASKED',
      refusal: null,
    },
  ],
  replies: { stock: { holds: 2 } },
  why: null,
  attention: null,
  deadline: at,
  startedAt: at,
  decidedAt: null,
  endedAt: null,
};
const decided = (change: Partial<SagaView>): SagaView => ({ ...saga, decidedAt: at, ...change });
const stateOf = (view: SagaView) => purchaseView(row, view).state;

it('is being bought until it is decided, and shows each branch with its reply', () => {
  const view = purchaseView(row, saga);
  expect(view).toMatchObject({ state: 'buying', settled: false, decidedAt: null, why: null });
  expect(view.branches[0]).toEqual({
    name: 'stock',
    service: 'inventory',
    state: 'prepared',
    reply: { holds: 2 },
    refusal: null,
  });
});

it('is bought from the decision on, and settled when all have acknowledged', () => {
  expect(stateOf(decided({ phase: 'COMMITTING' }))).toBe('bought');
  expect(purchaseView(row, decided({ phase: 'COMMITTED', endedAt: at })).settled).toBe(true);
});

it('a refusal names the branch and its reason', () => {
  const why = { code: 'sold-out', text: 'size M of SKU-7 is sold out', branch: 'stock' };
  expect(purchaseView(row, decided({ phase: 'ABORTING', why }))).toMatchObject({
    state: 'refused',
    why: { branch: 'stock', code: 'sold-out', reason: 'stock said no: size M of SKU-7 is sold out' },
  });
});

it('a deadline is nobody’s no', () => {
  const why = { code: 'deadline', text: 'no answer in time from payment', branch: 'payment' };
  expect(purchaseView(row, decided({ phase: 'ABORTED', why })).why?.reason).toBe(why.text);
});

it('what its buyer cancelled is cancelled, not refused', () => {
  const why = { code: 'cancelled', text: 'the buyer cancelled it' };
  expect(stateOf(decided({ phase: 'ABORTED', why }))).toBe('cancelled');
});

it('an abort that is only wanted is no decision yet', () => {
  const why = { code: 'deadline', text: 'late' };
  expect(purchaseView(row, { ...saga, why })).toMatchObject({ state: 'buying', why: null });
});

it('shows what was returned of it', () => {
  const items = [{ sku: 'SKU-7', size: 'M', quantity: 1 }];
  const notice = { returnId: 'r', items, refundCents: 100, currency: 'EUR', noticedAt: at };
  const { returns } = purchaseView(row, decided({ phase: 'COMMITTED' }), [notice]);
  expect(returns).toEqual([
    { id: 'r', items, refundCents: 100, currency: 'EUR', noticedAt: '2026-11-24T20:15:00.000Z' },
  ]);
});
