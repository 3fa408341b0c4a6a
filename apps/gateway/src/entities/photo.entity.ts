import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { MediaType } from '../domain/photo-intake.js';

/** A cleaned photo. Its bytes stay here: events carry the id. */
@Entity('photo')
export class Photo {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ name: 'content_hash', type: 'text' })
  contentHash!: string;

  @Column({ name: 'media_type', type: 'text' })
  mediaType!: MediaType;

  @Column({ type: 'int' })
  width!: number;

  @Column({ type: 'int' })
  height!: number;

  /** Not selected unless asked for: up to 10 MiB. */
  @Column({ type: 'bytea', select: false })
  bytes!: Buffer;

  @Column({ name: 'received_at', type: 'timestamptz' })
  receivedAt!: Date;
}
