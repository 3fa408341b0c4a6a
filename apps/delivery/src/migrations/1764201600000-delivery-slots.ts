import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The first tables of delivery. Locks: none, all is new. */
export class DeliverySlots1764201600000 implements MigrationInterface {
  readonly name = 'DeliverySlots1764201600000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table address (
        ref uuid primary key,
        region text not null check (length(region) between 1 and 40),
        lines text[] not null check (cardinality(lines) between 1 and 6),
        created_at timestamptz not null
      )`);
    // Everybody wants the first free slots: few rows take all the updates. Half-empty pages, and no index on
    // the counters, let a new version stand beside the old one (HOT), and the next update clear that away.
    await runner.query(`
      create table slot (
        id uuid primary key,
        region text not null,
        starts_at timestamptz not null,
        ends_at timestamptz not null check (ends_at > starts_at),
        capacity int not null check (capacity > 0),
        held int not null default 0 check (held >= 0),
        booked int not null default 0 check (booked >= 0),
        unique (region, starts_at),
        check (held + booked <= capacity)
      ) with (fillfactor = 50)`);
    await runner.query(`
      create table slot_booking (
        saga_id uuid not null,
        branch text not null,
        slot_id uuid not null references slot (id),
        address_ref uuid not null references address (ref),
        parcels int not null check (parcels between 1 and 20),
        state text not null check (state in ('HELD', 'BOOKED', 'RELEASED')),
        held_at timestamptz not null,
        settled_at timestamptz,
        primary key (saga_id, branch),
        check ((state = 'HELD') = (settled_at is null))
      )`);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}
