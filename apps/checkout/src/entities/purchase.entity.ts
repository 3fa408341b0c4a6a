import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One line of a basket, at the price that it was offered for. */
export interface PurchaseLine {
  readonly sku: string;
  readonly size: string;
  readonly quantity: number;
  readonly name: string;
  readonly unitPriceCents: number;
  readonly priceCents: number;
}

/** What somebody wanted to buy; what became of it is its saga's to say. */
@Entity('purchase')
export class Purchase {
  /** The saga's. */
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ name: 'idempotency_key', type: 'text' })
  idempotencyKey!: string;

  /** SHA-256 of what was asked: the same key with another basket is a mistake. */
  @Column({ name: 'request_hash', type: 'text' })
  requestHash!: string;

  @Column({ type: 'jsonb' })
  lines!: readonly PurchaseLine[];

  @Column({ name: 'total_cents', type: 'int' })
  totalCents!: number;

  @Column({ type: 'text' })
  currency!: string;

  @Column({ name: 'asked_at', type: 'timestamptz' })
  askedAt!: Date;
}
