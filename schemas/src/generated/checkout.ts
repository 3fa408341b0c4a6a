// Generated from schemas/ by tools/codegen. Change the schema instead, then: npx nx run @aura/schemas:codegen
import { defineEvent, type EventType, defineBranch, type BranchType } from '@aura/contracts';

/** Things of a purchase came back, and their price was paid back: what its buyer is to be told. */
export interface PurchaseReturned {
  /** UUID. */
  readonly purchaseId: string;
  /** The saga that returned it: one notice each. UUID. */
  readonly returnId: string;
  readonly items: readonly PurchaseReturnedReturnedPiece[];
  /** More than 0. */
  readonly refundCents: number;
  /** ISO 4217. */
  readonly currency: string;
  readonly noticedAt: Date;
}

/** Pieces of one garment in one size. */
export interface PurchaseReturnedReturnedPiece {
  readonly sku: string;
  readonly size: string;
  readonly quantity: number;
}

/** Things of a purchase came back, and their price was paid back: what its buyer is to be told. Key: `purchaseId`. Newest revision: 1. */
export const PurchaseReturned: EventType<PurchaseReturned> = defineEvent<PurchaseReturned>({
  service: 'checkout',
  version: 1,
  keyField: 'purchaseId',
  schema: {
    type: 'record',
    name: 'PurchaseReturned',
    namespace: 'checkout',
    doc: 'Things of a purchase came back, and their price was paid back: what its buyer is to be told.',
    'aura.key': 'purchaseId',
    fields: [
      { name: 'purchaseId', type: { type: 'string', logicalType: 'uuid' } },
      {
        name: 'returnId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'The saga that returned it: one notice each.',
      },
      {
        name: 'items',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'ReturnedPiece',
            doc: 'Pieces of one garment in one size.',
            fields: [
              { name: 'sku', type: 'string' },
              { name: 'size', type: 'string' },
              { name: 'quantity', type: 'int' },
            ],
          },
        },
      },
      { name: 'refundCents', type: 'int', doc: 'More than 0.' },
      { name: 'currency', type: 'string', doc: 'ISO 4217.' },
      { name: 'noticedAt', type: { type: 'long', logicalType: 'timestamp-millis' } },
    ],
  },
});

/** The buyer is told that things of a purchase came back, and what was paid back. */
export interface ReturnNotice {
  /** UUID. */
  readonly purchaseId: string;
  /** Each SKU and size once. */
  readonly items: readonly ReturnNoticeNoticedItem[];
  /** More than 0. */
  readonly refundCents: number;
  /** ISO 4217. */
  readonly currency: string;
}

/** Pieces of one garment in one size. */
export interface ReturnNoticeNoticedItem {
  readonly sku: string;
  readonly size: string;
  /** 1 to 20. */
  readonly quantity: number;
}

/** The buyer is told that things of a purchase came back, and what was paid back. A branch (retriable), for sagas of delivery. Newest revision: 1. */
export const ReturnNotice: BranchType<ReturnNotice> = defineBranch<ReturnNotice>({
  service: 'checkout',
  kind: 'retriable',
  coordinators: ['delivery'],
  version: 1,
  schema: {
    type: 'record',
    name: 'ReturnNotice',
    namespace: 'checkout',
    doc: 'The buyer is told that things of a purchase came back, and what was paid back.',
    'aura.branch': 'retriable',
    'aura.coordinators': ['delivery'],
    fields: [
      { name: 'purchaseId', type: { type: 'string', logicalType: 'uuid' } },
      {
        name: 'items',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'NoticedItem',
            doc: 'Pieces of one garment in one size.',
            fields: [
              { name: 'sku', type: 'string' },
              { name: 'size', type: 'string' },
              { name: 'quantity', type: 'int', doc: '1 to 20.' },
            ],
          },
        },
        doc: 'Each SKU and size once.',
      },
      { name: 'refundCents', type: 'int', doc: 'More than 0.' },
      { name: 'currency', type: 'string', doc: 'ISO 4217.' },
    ],
  },
  earlier: [],
});
