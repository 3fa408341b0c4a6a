import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The pieces of one garment in one size: on hand + held + sold = received, a CHECK of the table. */
@Entity('stock')
export class Stock {
  @PrimaryColumn({ type: 'text' })
  sku!: string;

  @PrimaryColumn({ type: 'text' })
  size!: string;

  @Column({ name: 'on_hand', type: 'int' })
  onHand!: number;

  /** Of those on hand: came back, and can't be put aside before their return is decided. */
  @Column({ name: 'in_return', type: 'int' })
  inReturn!: number;

  /** Put aside for sagas that are not decided. */
  @Column({ type: 'int' })
  held!: number;

  @Column({ type: 'int' })
  sold!: number;

  /** All that ever came in. */
  @Column({ type: 'int' })
  received!: number;
}
