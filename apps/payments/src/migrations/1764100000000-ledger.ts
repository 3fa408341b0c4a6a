import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Payment methods, payments and the double-entry ledger. Locks: none, all is new.
 *
 * L1 an entry is one row: one account is debited and one credited with the same positive amount, so it
 *    balances by construction, and so does the sum of all accounts;
 * L2 append-only: what was posted stays posted. A row that could be changed would make every balance derived
 *    from it, and every comparison with the provider's books, a matter of when one looked; a mistake is
 *    corrected by a further entry;
 * L3 a payment's money leaves an account at most once (the primary key: captured or cancelled, never both),
 * L4 and only an account that this payment had put it into, with the same amount (the foreign key). Together
 *    they are the payment's states: cards -> held -> due -> receivable, or back to cards.
 */
export class Ledger1764100000000 implements MigrationInterface {
  readonly name = 'Ledger1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(METHODS);
    await runner.query(ACCOUNTS);
    await runner.query(ENTRIES);
    await runner.query(BALANCES);
    await runner.query(APPEND_ONLY);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}

/**
 * No foreign key from a payment to its method: its check would write a row lock into the method's row for
 * every payment, and methods are never deleted (L2).
 */
const METHODS = `
  create table payment_method (
    ref uuid primary key,
    kind text not null check (kind = 'card'),
    token text not null check (token ~ '^tok-[a-z-]{1,60}$'),
    holder_ref text not null check (holder_ref ~ '^[a-z][a-z0-9-]{0,63}$'),
    created_at timestamptz not null
  );
  create table payment (
    saga_id uuid not null,
    branch text not null,
    coordinator text not null,
    method_ref uuid not null,
    reference text not null,
    authorisation text not null,
    primary key (saga_id, branch)
  );
  comment on column payment.reference is 'what the provider knows the payment by: the key of its first call';
  comment on column payment.authorisation is 'what the provider calls it'`;

/** An enum, not a table: a foreign key to four rows would be a lock on them in every transaction. */
const ACCOUNTS = `
  create type ledger_account as enum ('cards', 'held', 'due', 'receivable');
  comment on type ledger_account is
    'cards: the holders'' own, so never above 0; held: authorised at the provider; due: captured in our '
    'books, the provider has not confirmed yet; receivable: the provider owes it to us'`;

const ENTRIES = `
  create table ledger_entry (
    saga_id uuid not null,
    branch text not null,
    kind text not null,
    debit ledger_account not null,
    credit ledger_account not null,
    source ledger_account generated always as (nullif(credit, 'cards')) stored,
    amount_cents bigint not null check (amount_cents between 1 and 1000000000),
    currency text not null check (currency = 'EUR'),
    posted_at timestamptz not null,
    constraint ledger_entry_leaves_once primary key (saga_id, branch, credit),
    constraint ledger_entry_arrived unique (saga_id, branch, debit, amount_cents),
    constraint ledger_entry_was_there foreign key (saga_id, branch, source, amount_cents)
      references ledger_entry (saga_id, branch, debit, amount_cents),
    constraint ledger_entry_kind check (
      (kind = 'authorised' and credit = 'cards' and debit = 'held') or
      (kind = 'cancelled' and credit = 'held' and debit = 'cards') or
      (kind = 'captured' and credit = 'held' and debit = 'due') or
      (kind = 'collected' and credit = 'due' and debit = 'receivable') or
      (kind = 'refunded' and credit = 'receivable' and debit = 'cards'))
  );
  comment on column ledger_entry.source is 'the account that the money must have been put into before: L4'`;

/** Derived, not cached: nothing on the way of a payment asks for a balance. */
const BALANCES = `
  create view posting as
    select saga_id, branch, kind, posted_at, currency, debit as account, amount_cents from ledger_entry
    union all
    select saga_id, branch, kind, posted_at, currency, credit, -amount_cents from ledger_entry;
  create view account_balance as
    select account, coalesce(sum(amount_cents), 0)::bigint as balance_cents
      from unnest(enum_range(null::ledger_account)) as every(account)
      left join posting using (account)
     group by account`;

/** L2. For each statement: costs an insert nothing. */
const APPEND_ONLY = `
  create function refuse_change() returns trigger language plpgsql as $$
  begin
    raise exception '% is append-only: correct it by a further entry', tg_table_name
      using errcode = 'restrict_violation';
  end $$;
  create trigger append_only before update or delete or truncate on ledger_entry
    for each statement execute function refuse_change();
  create trigger append_only before update or delete or truncate on payment
    for each statement execute function refuse_change();
  create trigger append_only before update or delete or truncate on payment_method
    for each statement execute function refuse_change()`;
