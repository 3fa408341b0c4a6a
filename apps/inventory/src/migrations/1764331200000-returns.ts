import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What comes back. Locks: `stock` for a moment, exclusively (a column with a constant default, and a look at
 * its rows for the CHECK: one per SKU and size); the rest is new.
 *
 * A restock acts before its return is decided, and has to be undone whenever that is refused: pieces that
 * somebody has bought meanwhile could not be taken away again. So they are on hand, and not offered until the
 * decision: `in_return` of the pieces on hand.
 */
export class Returns1764331200000 implements MigrationInterface {
  readonly name = 'Returns1764331200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table stock
        add column in_return int not null default 0 check (in_return >= 0),
        add constraint stock_in_return_is_on_hand check (in_return <= on_hand)`);
    // Written when something of a purchase comes back for the first time: nobody who buys waits for it.
    await runner.query(`
      create table sold_piece (
        purchase_id uuid not null,
        sku text collate "C" not null,
        size text collate "C" not null,
        sold int not null check (sold > 0),
        returned int not null,
        primary key (purchase_id, sku, size),
        constraint no_more_comes_back_than_was_sold check (returned between 0 and sold)
      )`);
    await runner.query(`
      create table restock (
        saga_id uuid not null,
        branch text not null,
        purchase_id uuid not null,
        state text not null check (state in ('RESTOCKED', 'OFFERED', 'UNDONE')),
        lines jsonb not null check (jsonb_array_length(lines) between 1 and 20),
        restocked_at timestamptz not null,
        ended_at timestamptz,
        primary key (saga_id, branch),
        constraint only_an_ended_restock_has_an_end check ((state = 'RESTOCKED') = (ended_at is null))
      )`);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}
