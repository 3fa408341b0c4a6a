// Generated from schemas/ by tools/codegen. Change the schema instead, then: npx nx run @aura/schemas:codegen
import { defineBranch, type BranchType } from '@aura/contracts';

/** Money is authorised at the payment provider for a purchase. */
export interface PaymentHold {
  /** More than 0. */
  readonly amountCents: bigint;
  /** ISO 4217. */
  readonly currency: string;
  /** Reference of a payment method that payments keeps; never a card's number. */
  readonly methodRef: string;
}

/** Money is authorised at the payment provider for a purchase. A branch (external), for sagas of checkout. Newest revision: 1. */
export const PaymentHold: BranchType<PaymentHold> = defineBranch<PaymentHold>({
  service: 'payments',
  kind: 'external',
  coordinators: ['checkout'],
  version: 1,
  schema: {
    type: 'record',
    name: 'PaymentHold',
    namespace: 'payments',
    doc: 'Money is authorised at the payment provider for a purchase.',
    'aura.branch': 'external',
    'aura.coordinators': ['checkout'],
    fields: [
      { name: 'amountCents', type: 'long', doc: 'More than 0.' },
      { name: 'currency', type: 'string', doc: 'ISO 4217.' },
      {
        name: 'methodRef',
        type: 'string',
        doc: "Reference of a payment method that payments keeps; never a card's number.",
      },
    ],
  },
  earlier: [],
});

/** Money that was taken for a purchase is given back. */
export interface Refund {
  /** The saga for which it was taken. UUID. */
  readonly purchaseId: string;
  /** More than 0, and no more than what is left of the payment. */
  readonly amountCents: bigint;
  /** ISO 4217. */
  readonly currency: string;
}

/** Money that was taken for a purchase is given back. A branch (pivot), for sagas of delivery. Newest revision: 1. */
export const Refund: BranchType<Refund> = defineBranch<Refund>({
  service: 'payments',
  kind: 'pivot',
  coordinators: ['delivery'],
  version: 1,
  schema: {
    type: 'record',
    name: 'Refund',
    namespace: 'payments',
    doc: 'Money that was taken for a purchase is given back.',
    'aura.branch': 'pivot',
    'aura.coordinators': ['delivery'],
    fields: [
      {
        name: 'purchaseId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'The saga for which it was taken.',
      },
      {
        name: 'amountCents',
        type: 'long',
        doc: 'More than 0, and no more than what is left of the payment.',
      },
      { name: 'currency', type: 'string', doc: 'ISO 4217.' },
    ],
  },
  earlier: [],
});
