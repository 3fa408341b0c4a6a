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
}

/** A place in a delivery slot is booked for a purchase. A branch (reservable), for sagas of checkout. Newest revision: 1. */
export const DeliverySlot: BranchType<DeliverySlot> = defineBranch<DeliverySlot>({
  service: 'delivery',
  kind: 'reservable',
  coordinators: ['checkout'],
  version: 1,
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
    ],
  },
  earlier: [],
});
