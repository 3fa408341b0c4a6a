import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What is in a parcel, and returns. Locks: `slot_booking` for a moment, exclusively (a column with a constant
 * default, and a look at its rows for the CHECK); the rest is new. The pick-up of a return is a booking of
 * its own, under the return's id.
 */
export class Returns1764331200000 implements MigrationInterface {
  readonly name = 'Returns1764331200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table slot_booking
        add column contents jsonb not null default '[]' check (jsonb_typeof(contents) = 'array');
      comment on column slot_booking.contents is
        '[{"sku", "size", "quantity", "unitPriceCents"}], as it was paid; empty: nobody said, or a pick-up'`);
    await runner.query(`
      create table parcel_return (
        id uuid primary key,
        purchase_id uuid not null,
        idempotency_key text not null unique check (octet_length(idempotency_key) between 1 and 255),
        request_hash text not null check (length(request_hash) = 64),
        items jsonb not null check (jsonb_array_length(items) between 1 and 20),
        refund_cents int not null check (refund_cents > 0),
        currency text not null check (currency = 'EUR'),
        asked_at timestamptz not null
      )`);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}
