import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The books of the simulated provider, in a schema of its own: it stands for a company elsewhere, which keeps
 * its state when this service restarts. Nothing of the service reads or joins it. Locks: none, all is new.
 *
 * `overtaken`: voids that came for a payment which the provider did not know (yet). If its authorise arrives
 * afterwards, money is held and nobody knows.
 */
export class SimulatedProvider1764100000001 implements MigrationInterface {
  readonly name = 'SimulatedProvider1764100000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create schema provider;
      create table provider.payment (
        id text primary key,
        reference text not null,
        authorise_key text unique,
        capture_key text,
        refund_key text,
        token text not null,
        amount_cents bigint not null check (amount_cents > 0),
        currency text not null,
        state text not null check (state in ('declined', 'authorised', 'captured', 'voided', 'refunded')),
        decided_at timestamptz not null,
        captured_at timestamptz check ((captured_at is not null) = (state in ('captured', 'refunded'))),
        voided_at timestamptz check ((voided_at is not null) = (state = 'voided')),
        refunded_at timestamptz check ((refunded_at is not null) = (state = 'refunded'))
      );
      create index payment_reference on provider.payment (reference);
      create table provider.fault (
        operation text not null,
        reference text not null,
        times int not null,
        primary key (operation, reference)
      );
      create table provider.overtaken (
        reference text not null,
        voided_at timestamptz not null
      )`);
    await runner.query(`
      create view provider.books as
        select coalesce(sum(amount_cents) filter (where state <> 'declined'), 0)::bigint authorised_cents,
               coalesce(sum(amount_cents) filter (where captured_at is not null), 0)::bigint captured_cents,
               coalesce(sum(amount_cents) filter (where voided_at is not null), 0)::bigint voided_cents,
               coalesce(sum(amount_cents) filter (where refunded_at is not null), 0)::bigint refunded_cents,
               coalesce(sum(amount_cents) filter (where state = 'authorised'), 0)::bigint open_cents,
               (select count(*) from provider.overtaken)::int overtaken,
               (select coalesce(sum(times), 0) from provider.fault)::int faults
          from provider.payment`);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}
