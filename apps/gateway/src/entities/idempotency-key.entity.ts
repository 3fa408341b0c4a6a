import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * A request that a client named, and what came of it: the same key with the same photo gives the same answer.
 */
@Entity('idempotency_key')
export class IdempotencyKey {
  @PrimaryColumn({ type: 'text' })
  key!: string;

  /** SHA-256 of the bytes as they were sent. */
  @Column({ name: 'request_hash', type: 'text' })
  requestHash!: string;

  @Column({ name: 'photo_id', type: 'uuid' })
  photoId!: string;

  @Column({ name: 'used_at', type: 'timestamptz' })
  usedAt!: Date;
}
