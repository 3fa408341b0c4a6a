import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What a buyer is told of a return of theirs. No mail is sent: it stands on the page of the purchase. */
@Entity('return_notice')
export class ReturnNotice {
  /** The saga of the return. */
  @PrimaryColumn({ name: 'return_id', type: 'uuid' })
  returnId!: string;

  @PrimaryColumn({ type: 'text' })
  branch!: string;

  @Column({ name: 'purchase_id', type: 'uuid' })
  purchaseId!: string;

  @Column({ type: 'jsonb' })
  items!: readonly { readonly sku: string; readonly size: string; readonly quantity: number }[];

  @Column({ name: 'refund_cents', type: 'int' })
  refundCents!: number;

  @Column({ type: 'text' })
  currency!: string;

  @Column({ name: 'noticed_at', type: 'timestamptz' })
  noticedAt!: Date;
}
