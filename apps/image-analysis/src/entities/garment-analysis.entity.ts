import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What this service found in a photo, and with which version of the analyser. */
@Entity('garment_analysis')
export class GarmentAnalysis {
  @PrimaryColumn({ name: 'photo_id', type: 'uuid' })
  photoId!: string;

  @Column({ name: 'content_hash', type: 'text' })
  contentHash!: string;

  @Column({ type: 'text' })
  model!: string;

  @Column({ name: 'analysed_at', type: 'timestamptz' })
  analysedAt!: Date;

  @Column({ type: 'jsonb' })
  result!: object;
}
