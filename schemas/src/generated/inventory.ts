// Generated from schemas/ by tools/codegen. Change the schema instead, then: npx nx run @aura/schemas:codegen
import { defineBranch, type BranchType } from '@aura/contracts';

/** Pieces that were sold in a purchase come back. */
export interface Restock {
  /** The saga in which they were sold. UUID. */
  readonly purchaseId: string;
  /** Each SKU and size once. */
  readonly items: readonly RestockReturnedItem[];
}

/** Pieces of one garment in one size. */
export interface RestockReturnedItem {
  readonly sku: string;
  readonly size: string;
  /** 1 to 20. */
  readonly quantity: number;
}

/** Pieces that were sold in a purchase come back. A branch (compensatable), for sagas of delivery. Newest revision: 1. */
export const Restock: BranchType<Restock> = defineBranch<Restock>({
  service: 'inventory',
  kind: 'compensatable',
  coordinators: ['delivery'],
  version: 1,
  schema: {
    type: 'record',
    name: 'Restock',
    namespace: 'inventory',
    doc: 'Pieces that were sold in a purchase come back.',
    'aura.branch': 'compensatable',
    'aura.coordinators': ['delivery'],
    fields: [
      {
        name: 'purchaseId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'The saga in which they were sold.',
      },
      {
        name: 'items',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'ReturnedItem',
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
    ],
  },
  earlier: [],
});

/** Pieces of garments are put aside for a purchase. */
export interface StockHold {
  /** Each SKU and size once. */
  readonly items: readonly StockHoldItem[];
}

/** Pieces of one garment in one size. */
export interface StockHoldItem {
  readonly sku: string;
  readonly size: string;
  /** 1 to 20. */
  readonly quantity: number;
}

/** Pieces of garments are put aside for a purchase. A branch (reservable), for sagas of checkout. Newest revision: 1. */
export const StockHold: BranchType<StockHold> = defineBranch<StockHold>({
  service: 'inventory',
  kind: 'reservable',
  coordinators: ['checkout'],
  version: 1,
  schema: {
    type: 'record',
    name: 'StockHold',
    namespace: 'inventory',
    doc: 'Pieces of garments are put aside for a purchase.',
    'aura.branch': 'reservable',
    'aura.coordinators': ['checkout'],
    fields: [
      {
        name: 'items',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'Item',
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
    ],
  },
  earlier: [],
});
