import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The catalogue, and what is in stock, held and sold of it. Locks: none, all is new.
 *
 * SKUs and sizes are compared byte by byte ("C"): the one order in which rows are locked and pages are
 * read, whatever the server's language. `stock` and `stock_hold` leave room in their pages: their rows change
 * often, and no index has to know of it (HOT).
 */
export class Stock1764000000000 implements MigrationInterface {
  readonly name = 'Stock1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    // The words (categories, colours, sizes, …) are checked where the catalogue is read. A garment that has
    // left the catalogue stays, for its holds: `offered` is false then.
    await runner.query(`
      create table garment (
        sku text collate "C" primary key,
        name text not null,
        category text not null,
        colours text[] not null check (cardinality(colours) between 1 and 3),
        pattern text not null,
        formality text not null,
        seasons text[] not null check (cardinality(seasons) between 1 and 4),
        sizes text[] not null check (cardinality(sizes) >= 1),
        price_cents int not null check (price_cents > 0),
        offered boolean not null
      )`);
    await runner.query(`
      create table stock (
        sku text collate "C" not null references garment (sku),
        size text collate "C" not null,
        on_hand int not null check (on_hand >= 0),
        held int not null check (held >= 0),
        sold int not null check (sold >= 0),
        received int not null check (received >= 0),
        primary key (sku, size),
        constraint stock_is_conserved check (on_hand + held + sold = received)
      ) with (fillfactor = 50)`);
    // `lines` is what was put aside: [{"sku": …, "size": …, "quantity": …}].
    await runner.query(`
      create table stock_hold (
        saga_id uuid not null,
        branch text not null,
        state text not null check (state in ('HELD', 'SOLD', 'RELEASED')),
        lines jsonb not null check (jsonb_array_length(lines) between 1 and 20),
        held_at timestamptz not null,
        ended_at timestamptz,
        primary key (saga_id, branch),
        constraint only_an_ended_hold_has_an_end check ((state = 'HELD') = (ended_at is null))
      ) with (fillfactor = 70)`);
  }

  /** Forward only. */
  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup instead');
  }
}
