// Generated from schemas/ by tools/codegen. Change the schema instead, then: npx nx run @aura/schemas:codegen
import { defineBranch, type BranchType } from '@aura/contracts';

/** A place in a delivery slot is booked for a purchase. */
export interface DeliverySlot {
  /** Reference of an address that delivery keeps; never the address. */
  readonly addressRef: string;
  /** 1 to 20. */
  readonly parcels: number;
  /** The earliest start of a slot; null: the next free one. */
  readonly notBefore: null | Date;
  /** What is in the parcels, each SKU and size once, for returns. Empty where nobody said. */
  readonly contents: readonly DeliverySlotParcelLine[];
}

/** What a publisher gives of `DeliverySlot`: fields with a default may be left out. */
export interface DeliverySlotInput {
  /** Reference of an address that delivery keeps; never the address. */
  readonly addressRef: string;
  /** 1 to 20. */
  readonly parcels: number;
  /** The earliest start of a slot; null: the next free one. */
  readonly notBefore: null | Date;
  /** What is in the parcels, each SKU and size once, for returns. Empty where nobody said. Default: `[]`. */
  readonly contents?: readonly DeliverySlotParcelLine[];
}

/** Pieces of one garment in one size, and what was paid for each. */
export interface DeliverySlotParcelLine {
  readonly sku: string;
  readonly size: string;
  /** 1 to 20. */
  readonly quantity: number;
  /** More than 0. */
  readonly unitPriceCents: number;
}

/** A place in a delivery slot is booked for a purchase. A branch (reservable), for sagas of checkout. Newest revision: 2. */
export const DeliverySlot: BranchType<DeliverySlot, DeliverySlotInput> = defineBranch<
  DeliverySlot,
  DeliverySlotInput
>({
  service: 'delivery',
  kind: 'reservable',
  coordinators: ['checkout'],
  version: 2,
  schema: {
    type: 'record',
    name: 'DeliverySlot',
    namespace: 'delivery',
    doc: 'A place in a delivery slot is booked for a purchase.',
    'aura.branch': 'reservable',
    'aura.coordinators': ['checkout'],
    fields: [
      {
        name: 'addressRef',
        type: 'string',
        doc: 'Reference of an address that delivery keeps; never the address.',
      },
      { name: 'parcels', type: 'int', doc: '1 to 20.' },
      {
        name: 'notBefore',
        type: ['null', { type: 'long', logicalType: 'timestamp-millis' }],
        doc: 'The earliest start of a slot; null: the next free one.',
      },
      {
        name: 'contents',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'ParcelLine',
            doc: 'Pieces of one garment in one size, and what was paid for each.',
            fields: [
              { name: 'sku', type: 'string' },
              { name: 'size', type: 'string' },
              { name: 'quantity', type: 'int', doc: '1 to 20.' },
              { name: 'unitPriceCents', type: 'int', doc: 'More than 0.' },
            ],
          },
        },
        doc: 'What is in the parcels, each SKU and size once, for returns. Empty where nobody said.',
        default: [],
      },
    ],
  },
  earlier: [
    {
      type: 'record',
      name: 'DeliverySlot',
      namespace: 'delivery',
      doc: 'A place in a delivery slot is booked for a purchase.',
      'aura.branch': 'reservable',
      'aura.coordinators': ['checkout'],
      fields: [
        {
          name: 'addressRef',
          type: 'string',
          doc: 'Reference of an address that delivery keeps; never the address.',
        },
        { name: 'parcels', type: 'int', doc: '1 to 20.' },
        {
          name: 'notBefore',
          type: ['null', { type: 'long', logicalType: 'timestamp-millis' }],
          doc: 'The earliest start of a slot; null: the next free one.',
        },
      ],
    },
  ],
});
