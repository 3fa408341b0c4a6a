import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ReturnedLine } from '../domain/return-price.js';

/** What somebody wanted to send back; what became of it is its saga's to say. */
@Entity('parcel_return')
export class ParcelReturn {
  /** The saga's. */
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  /** The saga of the purchase. */
  @Column({ name: 'purchase_id', type: 'uuid' })
  purchaseId!: string;

  @Column({ name: 'idempotency_key', type: 'text' })
  idempotencyKey!: string;

  /** SHA-256 of what was asked: the same key with another return is a mistake. */
  @Column({ name: 'request_hash', type: 'text' })
  requestHash!: string;

  @Column({ type: 'jsonb' })
  items!: readonly ReturnedLine[];

  @Column({ name: 'refund_cents', type: 'int' })
  refundCents!: number;

  @Column({ type: 'text' })
  currency!: string;

  @Column({ name: 'asked_at', type: 'timestamptz' })
  askedAt!: Date;
}
