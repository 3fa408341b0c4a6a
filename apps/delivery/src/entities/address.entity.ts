import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Where somebody lives: personal data, which stays in this table. Everybody else has the reference. */
@Entity('address')
export class Address {
  /** Random: it tells nothing about the address. */
  @PrimaryColumn({ type: 'uuid' })
  ref!: string;

  @Column({ type: 'text' })
  region!: string;

  /** As they would stand on a parcel. Not selected unless asked for. */
  @Column({ type: 'text', array: true, select: false })
  lines!: string[];

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;
}
