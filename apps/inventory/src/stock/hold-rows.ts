/** The only statements on `stock_hold`. */
import { InvariantError, run, statement, type Queryable } from '@aura/platform';
import type { Line } from '../domain/basket.js';

/** Whose hold it is. */
export interface HoldOwner {
  readonly sagaId: string;
  readonly branch: string;
}

const INSERT = statement(
  'stock_hold_insert',
  `insert into stock_hold (saga_id, branch, state, lines, held_at)
   select saga_id, branch, 'HELD', lines, $4
     from unnest($1::uuid[], $2::text[], $3::jsonb[]) as hold(saga_id, branch, lines)`,
);

const END = statement(
  'stock_hold_end',
  `update stock_hold h set state = $3, ended_at = $4
     from unnest($1::uuid[], $2::text[]) as ended(saga_id, branch)
    where h.saga_id = ended.saga_id and h.branch = ended.branch and h.state = 'HELD'
   returning h.saga_id, h.branch, h.lines`,
);

/** Writes down what was put aside for whom. */
export async function insertHolds(
  db: Queryable,
  holds: readonly (HoldOwner & { readonly lines: readonly Line[] })[],
  now: Date,
): Promise<void> {
  if (holds.length === 0) return;
  const lines = holds.map((hold) =>
    JSON.stringify(hold.lines.map(({ sku, size, quantity }) => ({ sku, size, quantity }))),
  );
  await run(db, INSERT, [...columnsOf(holds), lines, now]);
}

/**
 * Ends holds, and gives the lines of all of them. Throws `InvariantError` where an owner has none that
 * stands: it was not prepared, or has ended.
 */
export async function endHolds(
  db: Queryable,
  owners: readonly HoldOwner[],
  state: 'SOLD' | 'RELEASED',
  now: Date,
): Promise<Line[]> {
  if (owners.length === 0) return [];
  const ended = await run<{ saga_id: string; branch: string; lines: Line[] }>(db, END, [
    ...columnsOf(owners),
    state,
    now,
  ]);
  if (ended.length !== owners.length) {
    const known = new Set(ended.map((hold) => `${hold.saga_id} ${hold.branch}`));
    const missing = owners.filter(({ sagaId, branch }) => !known.has(`${sagaId} ${branch}`));
    const names = missing.slice(0, 5).map(({ sagaId, branch }) => `branch ${branch} of saga ${sagaId}`);
    throw new InvariantError(`can't make it ${state}: no hold stands for ${names.join(', ')}`);
  }
  return ended.flatMap(({ lines }) => lines);
}

const columnsOf = (owners: readonly HoldOwner[]): [string[], string[]] => [
  owners.map(({ sagaId }) => sagaId),
  owners.map(({ branch }) => branch),
];
