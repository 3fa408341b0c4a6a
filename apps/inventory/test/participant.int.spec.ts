import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  ask,
  counts,
  item,
  runningInventory,
  stockUp,
  unbalanced,
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
  await inventory.db.query('truncate stock_hold');
  await stockUp(inventory.db, SHIRT, 'M', 3);
  await stockUp(inventory.db, BELT, 'L', 1);
});

const shirts = (): Promise<number[]> => counts(inventory.db, SHIRT, 'M');
const belts = (): Promise<number[]> => counts(inventory.db, BELT, 'L');

async function states(): Promise<string[]> {
  const { rows } = await inventory.db.query<{ state: string }>(
    'select state from stock_hold order by saga_id',
  );
  return rows.map(({ state }) => state);
}

it('puts pieces aside, then sells them', async () => {
  const { participant, transact, db } = inventory;
  const one = ask(item(SHIRT, 'M', 2), item(BELT, 'L'));
  expect(await transact((work) => participant.prepare(one, work))).toEqual({ prepared: true });
  expect([await shirts(), await belts()]).toEqual([
    [1, 2, 0, 3],
    [0, 1, 0, 1],
  ]);
  const { rows } = await db.query('select * from stock_hold');
  expect(rows).toEqual([
    {
      saga_id: one.sagaId,
      branch: 'stock',
      state: 'HELD',
      lines: one.input.items,
      held_at: expect.any(Date),
      ended_at: null,
    },
  ]);
  await transact((work) => participant.commit(one, work));
  expect([await shirts(), await belts(), await states()]).toEqual([[1, 0, 2, 3], [0, 0, 1, 1], ['SOLD']]);
});

it('puts pieces aside, then back', async () => {
  const { participant, transact } = inventory;
  const one = ask(item(SHIRT, 'M', 2));
  await transact((work) => participant.prepare(one, work));
  await transact((work) => participant.cancel(one, work));
  expect([await shirts(), await states()]).toEqual([[3, 0, 0, 3], ['RELEASED']]);
});

it('refuses an ask as a whole, and names the first line that is missing', async () => {
  const { participant, transact } = inventory;
  await stockUp(inventory.db, BELT, 'L', 0);
  const refused = ask(item(SHIRT, 'M'), item(BELT, 'L'));
  expect(await transact((work) => participant.prepare(refused, work))).toEqual({
    prepared: false,
    code: 'sold-out',
    reason: 'size L of BEL-101-BLK is sold out',
  });
  expect([await shirts(), await states()]).toEqual([[3, 0, 0, 3], []]);
});

it.each([
  ['unknown-garment', 'there is no SKU-7 in size M', [item('SKU-7', 'M')]],
  ['unknown-garment', 'there is no SHI-101-WHT in size W32', [item(SHIRT, 'W32')]],
  ['bad-basket', 'the basket is empty', []],
  ['bad-basket', 'SHI-101-WHT in size M stands twice in the basket', [item(SHIRT, 'M'), item(SHIRT, 'M')]],
  ['bad-basket', '0 pieces of SHI-101-WHT in size M: 1 to 20 can be bought at once', [item(SHIRT, 'M', 0)]],
  ['bad-basket', 'a SKU or a size is not written as one', [item('SHI\0', 'M')]],
])('refuses as %s: %s', async (code, reason, items) => {
  const { participant, transact } = inventory;
  expect(await transact((work) => participant.prepare(ask(...items), work))).toEqual({
    prepared: false,
    code,
    reason,
  });
  expect([await shirts(), await states()]).toEqual([[3, 0, 0, 3], []]);
});

it('sells nothing that has left the catalogue, and still ends its holds', async () => {
  const { participant, transact, db } = inventory;
  const before = ask(item(BELT, 'L'));
  await transact((work) => participant.prepare(before, work));
  await db.query('update garment set offered = false where sku = $1', [BELT]);
  try {
    const vote = await transact((work) => participant.prepare(ask(item(BELT, 'L')), work));
    expect(vote).toMatchObject({ prepared: false, code: 'unknown-garment' });
    await transact((work) => participant.commit(before, work));
    expect(await belts()).toEqual([0, 0, 1, 1]);
  } finally {
    await db.query('update garment set offered = true where sku = $1', [BELT]);
  }
});

it('serves many asks in the order given, in the same transaction', async () => {
  const { participant, transact, db } = inventory;
  const asks = [
    ask(item(SHIRT, 'M', 2)),
    ask(item(SHIRT, 'M', 2)), // one is left
    ask(item(BELT, 'L'), item(SHIRT, 'M')), // takes it
    ask(item(BELT, 'L')),
    ask(item('SKU-7', 'M')),
  ];
  const votes = await transact((work) => participant.prepareAll(asks, work));
  expect(votes.map((vote) => (vote.prepared ? 'prepared' : vote.reason))).toEqual([
    'prepared',
    'size M of SHI-101-WHT is sold out but for 1: 2 were asked for',
    'prepared',
    'size L of BEL-101-BLK is sold out',
    'there is no SKU-7 in size M',
  ]);
  expect([await shirts(), await belts()]).toEqual([
    [0, 3, 0, 3],
    [0, 1, 0, 1],
  ]);
  const [first, , third] = asks as [(typeof asks)[0], unknown, (typeof asks)[0]];
  await transact(async (work) => {
    await participant.cancelAll([first], work);
    await participant.commitAll([third], work);
  });
  expect([await shirts(), await belts(), await unbalanced(db)]).toEqual([[2, 0, 1, 3], [0, 0, 1, 1], []]);
});

it('does a whole unit of asks in one statement per table and phase', async () => {
  const { participant, transact, db } = inventory;
  await stockUp(db, SHIRT, 'M', 100);
  await stockUp(db, BELT, 'L', 100);
  const asks = Array.from({ length: 50 }, () => ask(item(SHIRT, 'M'), item(BELT, 'L')));
  const statements: string[] = [];
  const counting = (phase: 'prepareAll' | 'commitAll'): Promise<unknown> =>
    transact(async (work) => {
      const client = (await work.manager.queryRunner?.connect()) as { query: (asked: object) => unknown };
      const query = client.query.bind(client);
      client.query = (asked) => {
        statements.push((asked as { name: string }).name);
        return query(asked);
      };
      try {
        return await participant[phase](asks, work);
      } finally {
        client.query = query;
      }
    });
  await counting('prepareAll');
  expect(statements.splice(0)).toEqual(['stock_lock_on_hand', 'stock_hold_pieces', 'stock_hold_insert']);
  await counting('commitAll');
  expect(statements).toEqual(['stock_hold_end', 'stock_sell_pieces']);
  expect(await shirts()).toEqual([50, 0, 50, 100]);
});

it('nothing asked for changes nothing', async () => {
  const { participant, transact } = inventory;
  await transact(async (work) => {
    expect(await participant.prepareAll([], work)).toEqual([]);
    await participant.commitAll([], work);
    await participant.cancelAll([], work);
  });
  expect([await shirts(), await states()]).toEqual([[3, 0, 0, 3], []]);
});

it('a hold goes with its transaction', async () => {
  const { participant, transact } = inventory;
  const failing = transact(async (work) => {
    await participant.prepare(ask(item(SHIRT, 'M')), work);
    throw new Error('the vote could not be written');
  });
  await expect(failing).rejects.toThrow('the vote could not be written');
  expect([await shirts(), await states()]).toEqual([[3, 0, 0, 3], []]);
});

it('ends only a hold that stands, and says which does not', async () => {
  const { participant, transact } = inventory;
  const held = ask(item(SHIRT, 'M'));
  const never = ask(item(SHIRT, 'M'));
  await transact((work) => participant.prepare(held, work));
  await expect(transact((work) => participant.commitAll([held, never], work))).rejects.toThrow(
    `no hold stands for branch stock of saga ${never.sagaId}`,
  );
  expect(await shirts()).toEqual([2, 1, 0, 3]);
  await transact((work) => participant.commit(held, work));
  await expect(transact((work) => participant.cancel(held, work))).rejects.toThrow('no hold stands');
  expect(await shirts()).toEqual([2, 0, 1, 3]);
});

it.each([
  'update stock set on_hand = on_hand + 1',
  'update stock set on_hand = on_hand - 1, sold = sold + 2',
  'update stock set held = -1, on_hand = received + 1, sold = 0',
  "insert into stock_hold values (gen_random_uuid(), 'stock', 'HELD', '[]', now(), null)",
  "insert into stock_hold values (gen_random_uuid(), 'stock', 'SOLD', '[{}]', now(), null)",
])('S5: the database refuses %s', async (sql) => {
  await expect(inventory.db.query(sql)).rejects.toMatchObject({ code: '23514' });
});
