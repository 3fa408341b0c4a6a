import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * A stretch of time in which parcels are brought in a region. `capacity`, `held` and `booked` count
 * parcels; what is left of them is free.
 */
@Entity('slot')
export class Slot {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ type: 'text' })
  region!: string;

  @Column({ name: 'starts_at', type: 'timestamptz' })
  startsAt!: Date;

  @Column({ name: 'ends_at', type: 'timestamptz' })
  endsAt!: Date;

  @Column({ type: 'int' })
  capacity!: number;

  /** Of prepared branches that are not decided yet. */
  @Column({ type: 'int' })
  held!: number;

  @Column({ type: 'int' })
  booked!: number;
}
