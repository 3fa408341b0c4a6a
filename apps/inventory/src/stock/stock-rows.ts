/**
 * The statements of the event path on `stock`. Each locks its rows in the order of (sku, size) before it
 * changes one: transactions that want the same rows wait for each other and can't deadlock.
 */
import { InvariantError, run, statement, type Queryable } from '@aura/platform';
import { pieceKey, type Line } from '../domain/basket.js';

const LOCK_ON_HAND = statement(
  'stock_lock_on_hand',
  `select s.sku, s.size, s.on_hand - s.in_return as free
     from unnest($1::text[], $2::text[]) as asked(sku, size)
     join stock s on s.sku = asked.sku and s.size = asked.size
     join garment g on g.sku = s.sku and g.offered and s.size = any(g.sizes)
    order by s.sku, s.size
      for no key update of s`,
);

const LOCK = statement(
  'stock_lock',
  `select from unnest($1::text[], $2::text[]) as asked(sku, size)
     join stock s on s.sku = asked.sku and s.size = asked.size
    order by s.sku, s.size
      for no key update of s`,
);

const HOLD = changing('stock_hold_pieces', 'on_hand = s.on_hand - l.quantity, held = s.held + l.quantity');
const SELL = changing('stock_sell_pieces', 'held = s.held - l.quantity, sold = s.sold + l.quantity');
const RELEASE = changing(
  'stock_release_pieces',
  'held = s.held - l.quantity, on_hand = s.on_hand + l.quantity',
);
const RESTOCK = changing(
  'stock_restock_pieces',
  `sold = s.sold - l.quantity, on_hand = s.on_hand + l.quantity, in_return = s.in_return + l.quantity`,
);
const UNSTOCK = changing(
  'stock_unstock_pieces',
  `sold = s.sold + l.quantity, on_hand = s.on_hand - l.quantity, in_return = s.in_return - l.quantity`,
);
const OFFER = changing('stock_offer_pieces', 'in_return = s.in_return - l.quantity');

function changing(name: string, set: string): ReturnType<typeof statement> {
  return statement(
    name,
    `with locked as materialized (
       select s.sku, s.size, line.quantity
         from unnest($1::text[], $2::text[], $3::int[]) as line(sku, size, quantity)
         join stock s on s.sku = line.sku and s.size = line.size
        order by s.sku, s.size
          for no key update of s)
     update stock s set ${set} from locked l where s.sku = l.sku and s.size = l.size
     returning s.sku`,
  );
}

type Pieces = readonly Pick<Line, 'sku' | 'size'>[];

const columnsOf = (pieces: Pieces): [string[], string[]] => [
  pieces.map(({ sku }) => sku),
  pieces.map(({ size }) => size),
];

/** Locks the rows of `pieces` until the transaction ends, whether they are offered or not. */
export async function lockPieces(db: Queryable, pieces: Pieces): Promise<void> {
  if (pieces.length > 0) await run(db, LOCK, columnsOf(pieces));
}

/**
 * How many pieces can be bought of those that are offered, by `pieceKey`; their rows are locked until the
 * transaction ends.
 */
export async function lockOnHand(db: Queryable, pieces: Pieces): Promise<Map<string, number>> {
  if (pieces.length === 0) return new Map();
  type Row = { sku: string; size: string; free: number };
  const rows = await run<Row>(db, LOCK_ON_HAND, columnsOf(pieces));
  return new Map(rows.map((row) => [pieceKey(row), row.free]));
}

/** On hand -> held. `lines`: each SKU and size once, as in all of these. */
export const holdPieces = (db: Queryable, lines: readonly Line[]): Promise<void> => change(db, HOLD, lines);

/** Held -> sold. */
export const sellPieces = (db: Queryable, lines: readonly Line[]): Promise<void> => change(db, SELL, lines);

/** Held -> on hand. */
export const releasePieces = (db: Queryable, lines: readonly Line[]): Promise<void> =>
  change(db, RELEASE, lines);

/** Sold -> on hand, not offered yet. */
export const restockPieces = (db: Queryable, lines: readonly Line[]): Promise<void> =>
  change(db, RESTOCK, lines);

/** What was restocked is sold again. */
export const unstockPieces = (db: Queryable, lines: readonly Line[]): Promise<void> =>
  change(db, UNSTOCK, lines);

/** What was restocked can be bought. */
export const offerPieces = (db: Queryable, lines: readonly Line[]): Promise<void> => change(db, OFFER, lines);

async function change(db: Queryable, what: typeof HOLD, lines: readonly Line[]): Promise<void> {
  if (lines.length === 0) return;
  const changed = await run(db, what, [...columnsOf(lines), lines.map(({ quantity }) => quantity)]);
  if (changed.length !== lines.length)
    throw new InvariantError(
      `${what.name}: ${lines.length} rows of stock were to change, ${changed.length} did: a row was deleted`,
    );
}
