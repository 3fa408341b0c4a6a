import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What was bought, by the id of its saga. Locks: none, all is new. References to address and payment method
 * are the saga's input only: nobody asks this table for them.
 */
export class Purchases1764244800000 implements MigrationInterface {
  readonly name = 'Purchases1764244800000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table purchase (
        id uuid primary key,
        idempotency_key text not null unique check (octet_length(idempotency_key) between 1 and 255),
        request_hash text not null check (length(request_hash) = 64),
        lines jsonb not null check (jsonb_array_length(lines) between 1 and 20),
        total_cents int not null check (total_cents > 0),
        currency text not null check (currency = 'EUR'),
        asked_at timestamptz not null
      )`);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}
