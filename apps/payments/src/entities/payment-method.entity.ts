import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * With what somebody pays: references only, to the provider's token and to whoever holds it. No card number
 * and no personal data is kept here, and none can be.
 */
@Entity('payment_method')
export class PaymentMethod {
  @PrimaryColumn({ type: 'uuid' })
  ref!: string;

  @Column({ type: 'text' })
  kind!: 'card';

  /** The provider's name for the card. */
  @Column({ type: 'text' })
  token!: string;

  @Column({ name: 'holder_ref', type: 'text' })
  holderRef!: string;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;
}
