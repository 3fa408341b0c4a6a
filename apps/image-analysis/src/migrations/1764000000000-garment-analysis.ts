import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The first table of image-analysis. Locks: none, it is new. One row per photo: a second analysis of one is
 * a bug.
 */
export class GarmentAnalysis1764000000000 implements MigrationInterface {
  readonly name = 'GarmentAnalysis1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table garment_analysis (
        photo_id uuid primary key,
        content_hash text not null,
        model text not null,
        analysed_at timestamptz not null,
        result jsonb not null
      )`);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}
