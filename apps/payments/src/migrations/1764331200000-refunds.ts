import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Refunds, in parts, in the ledger and in the simulated provider's books. Locks: `ledger_entry` exclusively
 * while it is written anew (generated columns) and its keys are built: about a minute for ten million rows.
 *
 * L5 the refunds of a payment are counted: 1, 2, 3. Each begins with the sum at which the one before it ended
 *    (a foreign key), the first with 0, and the sum never goes above what was captured (a CHECK; that it is
 *    what was captured is a foreign key). A refund's entry in the ledger names its part and its amount. The
 *    other entries take all that there is, once, as before (L3, L4): they are part 0.
 */
export class Refunds1764331200000 implements MigrationInterface {
  readonly name = 'Refunds1764331200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(ENTRIES);
    await runner.query(REFUNDS);
    await runner.query(PROVIDER);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}

/** `arrives`: money that is back at its holder's came from us and goes nowhere from there. */
const ENTRIES = `
  alter table ledger_entry
    add column part int not null default 0,
    drop constraint ledger_entry_was_there,
    drop constraint ledger_entry_arrived,
    drop constraint ledger_entry_leaves_once;
  alter table ledger_entry
    add column arrives ledger_account generated always as (nullif(debit, 'cards')) stored,
    add column taken_cents bigint generated always as (case when part = 0 then amount_cents end) stored,
    add column refund_part int generated always as (nullif(part, 0)) stored,
    add constraint ledger_entry_only_refunds_have_parts check ((kind = 'refunded') = (part > 0)),
    add constraint ledger_entry_leaves_once primary key (saga_id, branch, credit, part),
    add constraint ledger_entry_arrived unique (saga_id, branch, arrives, amount_cents);
  alter table ledger_entry
    add constraint ledger_entry_was_there foreign key (saga_id, branch, source, taken_cents)
      references ledger_entry (saga_id, branch, arrives, amount_cents)`;

const REFUNDS = `
  create table refund (
    saga_id uuid not null,
    branch text not null,
    coordinator text not null,
    payment_saga_id uuid not null,
    payment_branch text not null,
    part int not null check (part > 0),
    amount_cents bigint not null check (amount_cents > 0),
    before_cents bigint not null,
    after_cents bigint generated always as (before_cents + amount_cents) stored,
    captured_cents bigint not null,
    part_before int generated always as (case when part > 1 then part - 1 end) stored,
    taken_from ledger_account generated always as ('receivable'::ledger_account) stored,
    reference text not null,
    provider_refund text not null,
    primary key (saga_id, branch),
    constraint refund_parts_are_counted unique (payment_saga_id, payment_branch, part),
    constraint refund_of_part unique (payment_saga_id, payment_branch, part, amount_cents),
    constraint refund_sum_of_part unique (payment_saga_id, payment_branch, part, after_cents),
    constraint refund_begins_at_zero check (part > 1 or before_cents = 0),
    constraint refund_follows foreign key (payment_saga_id, payment_branch, part_before, before_cents)
      references refund (payment_saga_id, payment_branch, part, after_cents),
    constraint refund_of_what_was_captured
      foreign key (payment_saga_id, payment_branch, taken_from, captured_cents)
      references ledger_entry (saga_id, branch, arrives, amount_cents),
    constraint refund_never_above_captured check (after_cents <= captured_cents)
  );
  comment on column refund.saga_id is 'of the return; payment_saga_id: of the purchase';
  comment on column refund.reference is 'what the provider knows it by: the key of its first call';
  create trigger append_only before update or delete or truncate on refund
    for each statement execute function refuse_change();
  alter table ledger_entry
    add constraint ledger_entry_refund_is_counted foreign key (saga_id, branch, refund_part, amount_cents)
      references refund (payment_saga_id, payment_branch, part, amount_cents)`;

/** Its books hold the same: never more goes back than was captured. */
const PROVIDER = `
  create table provider.refund (
    id text primary key,
    reference text not null,
    refund_key text unique,
    payment_id text not null references provider.payment (id),
    amount_cents bigint not null check (amount_cents > 0),
    decline text,
    decided_at timestamptz not null
  );
  comment on column provider.refund.decline is 'why it was declined; null: it was made';
  create index refund_reference on provider.refund (reference);
  alter table provider.payment
    add column refunded_cents bigint not null default 0,
    add constraint never_more_back_than_captured check (
      refunded_cents between 0 and case when captured_at is null then 0 else amount_cents end);
  update provider.payment set refunded_cents = amount_cents where state = 'refunded';
  create or replace view provider.books as
    select coalesce(sum(amount_cents) filter (where state <> 'declined'), 0)::bigint authorised_cents,
           coalesce(sum(amount_cents) filter (where captured_at is not null), 0)::bigint captured_cents,
           coalesce(sum(amount_cents) filter (where voided_at is not null), 0)::bigint voided_cents,
           coalesce(sum(refunded_cents), 0)::bigint refunded_cents,
           coalesce(sum(amount_cents) filter (where state = 'authorised'), 0)::bigint open_cents,
           (select count(*) from provider.overtaken)::int overtaken,
           (select coalesce(sum(times), 0) from provider.fault)::int faults
      from provider.payment;
  alter table provider.payment
    drop column refund_key,
    drop column refunded_at;
  update provider.payment set state = 'captured' where state = 'refunded';
  alter table provider.payment
    drop constraint payment_state_check,
    add constraint payment_state_check check (state in ('declined', 'authorised', 'captured', 'voided'))`;
