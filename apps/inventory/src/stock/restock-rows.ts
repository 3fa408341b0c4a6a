/** The only statements on `sold_piece` and `restock`. */
import { InvariantError, run, statement, type Queryable } from '@aura/platform';
import { pieceKey, type Line } from '../domain/basket.js';
import type { Returned, SoldByPurchase, SoldPieces } from '../domain/returning.js';
import type { HoldOwner } from './hold-rows.js';

/** What was sold in these purchases, where it was not written down before. */
const KNOW = statement(
  'sold_piece_insert',
  `insert into sold_piece (purchase_id, sku, size, sold, returned)
   select h.saga_id, line.sku, line.size, sum(line.quantity)::int, 0
     from stock_hold h, jsonb_to_recordset(h.lines) as line(sku text, size text, quantity int)
    where h.saga_id = any($1::uuid[]) and h.state = 'SOLD'
    group by h.saga_id, line.sku, line.size
    order by h.saga_id, line.sku, line.size
       on conflict (purchase_id, sku, size) do update set sold = excluded.sold
          where sold_piece.sold < excluded.sold`,
);

const SOLD = statement(
  'sold_piece_select',
  `select purchase_id as "purchaseId", sku, size, sold, returned from sold_piece
    where purchase_id = any($1::uuid[])`,
);

const moving = (name: string, returned: string) =>
  statement(
    name,
    `update sold_piece s set returned = ${returned}
       from unnest($1::uuid[], $2::text[], $3::text[], $4::int[]) as back(purchase_id, sku, size, quantity)
      where s.purchase_id = back.purchase_id and s.sku = back.sku and s.size = back.size
     returning s.sku`,
  );
const TAKE = moving('sold_piece_take_back', 's.returned + back.quantity');
const GIVE = moving('sold_piece_give_again', 's.returned - back.quantity');

const INSERT = statement(
  'restock_insert',
  `insert into restock (saga_id, branch, purchase_id, state, lines, restocked_at)
   select saga_id, branch, purchase_id, 'RESTOCKED', lines, $5
     from unnest($1::uuid[], $2::text[], $3::uuid[], $4::jsonb[])
       as new(saga_id, branch, purchase_id, lines)`,
);

const END = statement(
  'restock_end',
  `update restock r set state = $3, ended_at = $4
     from unnest($1::uuid[], $2::text[]) as ended(saga_id, branch)
    where r.saga_id = ended.saga_id and r.branch = ended.branch and r.state = 'RESTOCKED'
   returning r.saga_id, r.branch, r.purchase_id as "purchaseId", r.lines as items`,
);

/**
 * What was sold in these purchases. The rows are locked by being written, also where nothing changes in them:
 * of two returns of a purchase the second one reads what the first has written.
 */
export async function soldIn(db: Queryable, purchases: readonly string[]): Promise<SoldByPurchase> {
  if (purchases.length === 0) return new Map();
  const ids = [...new Set(purchases)];
  await run(db, KNOW, [ids]);
  type Row = SoldPieces & { purchaseId: string; sku: string; size: string };
  const rows = await run<Row & Record<string, unknown>>(db, SOLD, [ids]);
  const byPurchase = Map.groupBy(rows, ({ purchaseId }) => purchaseId);
  return new Map([...byPurchase].map(([id, of]) => [id, new Map(of.map((row) => [pieceKey(row), row]))]));
}

type ReturnedLine = Line & { readonly purchaseId: string };

/** Each purchase, SKU and size once, as below. */
export const takeBack = (db: Queryable, lines: readonly ReturnedLine[]): Promise<void> =>
  move(db, TAKE, lines);

/** As if these had never come back. */
export const giveAgain = (db: Queryable, lines: readonly ReturnedLine[]): Promise<void> =>
  move(db, GIVE, lines);

async function move(db: Queryable, what: typeof TAKE, lines: readonly ReturnedLine[]): Promise<void> {
  if (lines.length === 0) return;
  const moved = await run(db, what, [
    lines.map(({ purchaseId }) => purchaseId),
    lines.map(({ sku }) => sku),
    lines.map(({ size }) => size),
    lines.map(({ quantity }) => quantity),
  ]);
  if (moved.length !== lines.length)
    throw new InvariantError(
      `${what.name}: ${moved.length} of ${lines.length} lines were sold: compare restock`,
    );
}

/** Writes down what came back of which purchase. */
export async function insertRestocks(
  db: Queryable,
  restocks: readonly (HoldOwner & Returned)[],
  now: Date,
): Promise<void> {
  if (restocks.length === 0) return;
  await run(db, INSERT, [
    restocks.map(({ sagaId }) => sagaId),
    restocks.map(({ branch }) => branch),
    restocks.map(({ purchaseId }) => purchaseId),
    restocks.map(({ items }) =>
      JSON.stringify(items.map(({ sku, size, quantity }) => ({ sku, size, quantity }))),
    ),
    now,
  ]);
}

/** Ends restocks, and gives what came back by them. Throws `InvariantError` where an owner has none open. */
export async function endRestocks(
  db: Queryable,
  owners: readonly HoldOwner[],
  state: 'OFFERED' | 'UNDONE',
  now: Date,
): Promise<Returned[]> {
  if (owners.length === 0) return [];
  const ended = await run<Returned & { saga_id: string; branch: string }>(db, END, [
    owners.map(({ sagaId }) => sagaId),
    owners.map(({ branch }) => branch),
    state,
    now,
  ]);
  if (ended.length === owners.length) return ended;
  const known = new Set(ended.map((row) => `${row.saga_id} ${row.branch}`));
  const missing = owners.find(({ sagaId, branch }) => !known.has(`${sagaId} ${branch}`));
  throw new InvariantError(
    `can't make it ${state}: no restock is open for branch ${missing?.branch} of saga ${missing?.sagaId}`,
  );
}
