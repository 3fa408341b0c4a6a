import type { Ask } from '@aura/saga';
import type { StockHold } from '@aura/schemas';
import { seeded, settled } from '@aura/testing';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  ask,
  counts,
  item,
  returning,
  runningInventory,
  stockUp,
  unbalanced,
  type Item,
  type RunningInventory,
} from './running.js';

const SHIRT = 'SHI-101-WHT';
const BELT = 'BEL-101-BLK';

let inventory: RunningInventory;
beforeAll(async () => {
  inventory = await runningInventory();
});
afterAll(() => inventory.end());
beforeEach(async () => {
  await inventory.db.query('truncate stock_hold, sold_piece, restock');
  await stockUp(inventory.db, SHIRT, 'M', 3);
  await stockUp(inventory.db, BELT, 'L', 1);
});

async function sold(...items: Item[]): Promise<Ask<StockHold>> {
  const { participant, transact } = inventory;
  const purchase = ask(...items);
  await transact((work) => participant.prepare(purchase, work));
  await transact((work) => participant.commit(purchase, work));
  return purchase;
}

/** `[on hand, held, sold, received]`, and what of it can't be bought yet. */
async function shirts(): Promise<[number[], number]> {
  const { rows } = await inventory.db.query<{ in_return: number }>(
    "select in_return from stock where sku = $1 and size = 'M'",
    [SHIRT],
  );
  return [await counts(inventory.db, SHIRT, 'M'), rows[0]?.in_return ?? 0];
}

const restock = (asked: ReturnType<typeof returning>) =>
  inventory.transact((work) => inventory.restocking.prepare(asked, work));

it('what comes back is in stock at once, and offered when the return is decided', async () => {
  const { restocking, transact, db } = inventory;
  const purchase = await sold(item(SHIRT, 'M', 2));
  const back = returning(purchase, item(SHIRT, 'M', 2));
  expect(await restock(back)).toEqual({ prepared: true });
  expect(await shirts()).toEqual([[3, 0, 0, 3], 2]);
  await transact((work) => restocking.commit(back, work));
  expect(await shirts()).toEqual([[3, 0, 0, 3], 0]);
  expect(await unbalanced(db)).toEqual([]);
});

it('its compensation leaves all as it was, also where others want every piece meanwhile', async () => {
  const { participant, restocking, transact, db } = inventory;
  const purchase = await sold(item(SHIRT, 'M', 2));
  const back = returning(purchase, item(SHIRT, 'M'));
  await restock(back);
  const greedy = ask(item(SHIRT, 'M', 2));
  const vote = await transact((work) => participant.prepare(greedy, work));
  expect(vote).toMatchObject({ prepared: false, code: 'sold-out' });
  await sold(item(SHIRT, 'M'));
  await transact((work) => restocking.cancel(back, work));
  expect(await shirts()).toEqual([[0, 0, 3, 3], 0]);
  expect(await unbalanced(db)).toEqual([]);
  expect(await restock(returning(purchase, item(SHIRT, 'M', 2)))).toEqual({ prepared: true });
});

it('the page of a garment shows what can be bought, not what is in return', async () => {
  const purchase = await sold(item(SHIRT, 'M', 2));
  const onHand = async (): Promise<unknown> => {
    const response = await fetch(`${inventory.service.url}/garments/${SHIRT}`);
    const { stock } = (await response.json()) as { stock: { size: string; onHand: number }[] };
    return stock.find(({ size }) => size === 'M')?.onHand;
  };
  const back = returning(purchase, item(SHIRT, 'M'));
  await restock(back);
  expect(await onHand()).toBe(1);
  await inventory.transact((work) => inventory.restocking.commit(back, work));
  expect(await onHand()).toBe(2);
});

it.each([
  ['not-sold', 'nothing of BEL-101-BLK in size L was sold in this purchase', [item(BELT, 'L')]],
  [
    'too-many',
    "2 of SHI-101-WHT in size M were sold in this purchase: 3 can't come back",
    [item(SHIRT, 'M', 3)],
  ],
  ['bad-return', 'what comes back is no list of pieces: the basket is empty', []],
])('is refused as %s: %s', async (code, reason, items) => {
  const purchase = await sold(item(SHIRT, 'M', 2));
  await sold(item(BELT, 'L')); // to somebody else
  expect(await restock(returning(purchase, ...items))).toEqual({ prepared: false, code, reason });
  expect(await shirts()).toEqual([[1, 0, 2, 3], 0]);
});

it('is refused for a purchase that has sold nothing: held only, cancelled, or unknown', async () => {
  const { participant, transact } = inventory;
  const held = ask(item(SHIRT, 'M'));
  const cancelled = ask(item(SHIRT, 'M'));
  await transact((work) => participant.prepareAll([held, cancelled], work));
  await transact((work) => participant.cancel(cancelled, work));
  for (const purchase of [held, cancelled, ask()])
    expect(await restock(returning(purchase, item(SHIRT, 'M')))).toMatchObject({
      prepared: false,
      code: 'unknown-purchase',
    });
});

it('of two returns of the same purchase at once, in a unit or in two, one is served', async () => {
  const { restocking, transact, db } = inventory;
  const refused = {
    prepared: false,
    code: 'already-returned',
    reason: 'this purchase has already been returned',
  };
  const together = await sold(item(SHIRT, 'M'));
  const twice = [returning(together, item(SHIRT, 'M')), returning(together, item(SHIRT, 'M'))];
  expect(await transact((work) => restocking.prepareAll(twice, work))).toEqual([{ prepared: true }, refused]);
  const apart = await sold(item(BELT, 'L'));
  const votes = await Promise.all(
    Array.from({ length: 4 }, () => restock(returning(apart, item(BELT, 'L')))),
  );
  expect(votes.filter((vote) => vote.prepared)).toHaveLength(1);
  expect(votes).toContainEqual(refused);
  expect(await unbalanced(db)).toEqual([]);
});

it('ends only a restock that is open, and says which is not', async () => {
  const { restocking, transact } = inventory;
  const back = returning(await sold(item(SHIRT, 'M')), item(SHIRT, 'M'));
  await restock(back);
  await transact((work) => restocking.commit(back, work));
  await expect(transact((work) => restocking.cancel(back, work))).rejects.toThrow(
    `can't make it UNDONE: no restock is open for branch restock of saga ${back.sagaId}`,
  );
  expect(await shirts()).toEqual([[3, 0, 0, 3], 0]);
});

it('H18: units that take some back and offer others lock the stock of all of it first', async () => {
  const { restocking, transact, db } = inventory;
  await stockUp(db, SHIRT, 'M', 100);
  await stockUp(db, BELT, 'L', 100);
  const [shirt, belt] = [item(SHIRT, 'M'), item(BELT, 'L')];
  const units = await Promise.all(
    Array.from({ length: 16 }, async (_, n) => {
      const [first, second] = n % 2 ? [shirt, belt] : [belt, shirt];
      const purchase = await sold(first, second);
      const ending = returning(purchase, first);
      await restock(ending);
      return { ending, coming: returning(purchase, second) };
    }),
  );
  const door = await inventory.connect();
  await door.query('begin');
  await door.query('select from stock where sku = any($1) for update', [[SHIRT, BELT]]);
  const running = units.map(({ ending, coming }) =>
    transact(async (work) => {
      await restocking.lockAll([coming, ending], work);
      await restocking.prepare(coming, work);
      await restocking.commit(ending, work);
    }),
  );
  await settled('two of them wait', async () => {
    const waiting = await db.query(
      `select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return (waiting.rowCount ?? 0) > 1;
  });
  await door.query('rollback');
  await Promise.all(running);
  expect(await unbalanced(db)).toEqual([]);
});

it.each([
  'update sold_piece set returned = sold + 1',
  'update sold_piece set returned = -1',
  "update stock set in_return = on_hand + 1 where sku = 'SHI-101-WHT'",
  "update stock set in_return = -1 where sku = 'SHI-101-WHT'",
  "update restock set state = 'OFFERED'",
])('S5: the database refuses %s', async (sql) => {
  await restock(returning(await sold(item(SHIRT, 'M', 2)), item(SHIRT, 'M')));
  await expect(inventory.db.query(sql)).rejects.toMatchObject({ code: '23514' });
});

it('S5: whatever is bought, sent back and taken back at once, every piece is somewhere', async () => {
  const random = seeded('returns of stock');
  const { restocking, participant, transact, db } = inventory;
  await stockUp(db, SHIRT, 'M', 40);
  await stockUp(db, BELT, 'L', 40);
  const pieces = [item(SHIRT, 'M'), item(BELT, 'L')];
  const refusals: string[] = [];
  const buyer = async (): Promise<void> => {
    const items = random.shuffle(pieces).map((piece) => ({ ...piece, quantity: 1 + random.int(3) }));
    const purchase = await sold(...items);
    for (let round = 0; round < 3; round++) {
      const some = random.shuffle(items).slice(0, 1 + random.int(2));
      const back = returning(purchase, ...some.map((each) => ({ ...each, quantity: 1 + random.int(3) })));
      const vote = await restock(back);
      if (!vote.prepared) refusals.push(vote.code);
      else {
        const undo = random.chance(0.5);
        await transact((work) => (undo ? restocking.cancel(back, work) : restocking.commit(back, work)));
      }
      const held = ask(...random.shuffle(pieces));
      const bought = await transact((work) => participant.prepare(held, work));
      if (bought.prepared) await transact((work) => participant.cancel(held, work));
    }
  };
  await Promise.all(Array.from({ length: 8 }, buyer));
  expect(await unbalanced(db)).toEqual([]);
  const { rows } = await db.query('select sum(in_return)::int as open from stock');
  expect(rows).toEqual([{ open: 0 }]);
  expect(refusals).not.toEqual([]);
});
