import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ParcelLine } from '../domain/return-price.js';

export type BookingState = 'HELD' | 'BOOKED' | 'RELEASED';

/** The places that one branch of a saga has in a slot, and what became of them. */
@Entity('slot_booking')
export class SlotBooking {
  @PrimaryColumn({ name: 'saga_id', type: 'uuid' })
  sagaId!: string;

  @PrimaryColumn({ type: 'text' })
  branch!: string;

  @Column({ name: 'slot_id', type: 'uuid' })
  slotId!: string;

  @Column({ name: 'address_ref', type: 'uuid' })
  addressRef!: string;

  @Column({ type: 'int' })
  parcels!: number;

  /** Empty: nobody said, or it is the pick-up of a return. */
  @Column({ type: 'jsonb' })
  contents!: readonly ParcelLine[];

  @Column({ type: 'text' })
  state!: BookingState;

  @Column({ name: 'held_at', type: 'timestamptz' })
  heldAt!: Date;

  /** When it was booked or released; null while it is held. */
  @Column({ name: 'settled_at', type: 'timestamptz', nullable: true })
  settledAt!: Date | null;
}
