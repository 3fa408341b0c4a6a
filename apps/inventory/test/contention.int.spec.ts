import type { Vote } from '@aura/saga';
import { settled } from '@aura/testing';
import type { Client } from 'pg';
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

const BUYERS = 64;
/** One connection for each, and some for what else the service does. */
const CONNECTIONS = BUYERS + 16;
const SCARCE = 'COA-101-BLK';
const PLENTY = 'BAG-101-BLK';

let inventory: RunningInventory;
/** Holds the rows. It is not the client that counts: a transaction sees the same numbers for ever. */
let door: Client;
beforeAll(async () => {
  inventory = await runningInventory({ AURA_DATABASE_POOL_SIZE: String(CONNECTIONS) });
  door = await inventory.connect();
  await openConnections();
});
afterAll(() => inventory.end());
beforeEach(async () => {
  await inventory.db.query('truncate stock_hold');
  await stockUp(inventory.db, SCARCE, 'M', 10);
  await stockUp(inventory.db, SCARCE, 'L', 500);
  await stockUp(inventory.db, PLENTY, 'ONE_SIZE', 500);
});

/** Has `BUYERS` transactions open at once: later none loses the time of a lock to its connection. */
async function openConnections(): Promise<void> {
  let here = 0;
  const all = Promise.withResolvers<void>();
  const arrive = async (): Promise<void> => {
    if (++here === BUYERS) all.resolve();
    await all.promise;
  };
  await Promise.all(Array.from({ length: BUYERS }, () => inventory.transact(arrive)));
}

/** How many transactions of the service wait for a row of another one. */
async function waiting(): Promise<number> {
  const { rows } = await inventory.db.query<{ waiting: number }>(
    `select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rows[0]?.waiting ?? 0;
}

/** Starts all while the rows are locked, waits until everybody stands in front of them, lets them go. */
async function atOnce<T>(starts: readonly (() => Promise<T>)[]): Promise<T[]> {
  await door.query('begin');
  await door.query('select from stock where sku = any($1) for update', [[SCARCE, PLENTY]]);
  const running = Promise.all(starts.map((start) => start()));
  running.catch(() => undefined); // looked at below
  try {
    await settled('everybody waits', async () => (await waiting()) === starts.length);
  } finally {
    await door.query('rollback');
  }
  return running;
}

const words = (votes: readonly Vote[]): Record<string, number> => {
  const seen: Record<string, number> = {};
  for (const vote of votes) {
    const word = vote.prepared ? 'prepared' : `${vote.code}: ${vote.reason}`;
    seen[word] = (seen[word] ?? 0) + 1;
  }
  return seen;
};

it('64 buyers of the last 10 pieces: exactly 10 sell', async () => {
  const { participant, transact, db } = inventory;
  const buy = () => transact((work) => participant.prepare(ask(item(SCARCE, 'M')), work));
  expect(words(await atOnce(Array.from({ length: BUYERS }, () => buy)))).toEqual({
    prepared: 10,
    'sold-out: size M of COA-101-BLK is sold out': 54,
  });
  expect([await counts(db, SCARCE, 'M'), await unbalanced(db)]).toEqual([[0, 10, 0, 10], []]);
});

it('baskets that name the same pieces in any order wait for each other, never in a circle', async () => {
  const { participant, transact, db } = inventory;
  const lines = [item(SCARCE, 'M'), item(SCARCE, 'L', 2), item(PLENTY, 'ONE_SIZE', 3)];
  const buyers = Array.from({ length: BUYERS }, (_, n) => () => {
    const turned = [...lines.slice(n % 3), ...lines.slice(0, n % 3)];
    if (n % 2 === 1) turned.reverse();
    return transact((work) => participant.prepare(ask(...turned), work));
  });
  expect(words(await atOnce(buyers))).toMatchObject({
    prepared: 10,
    'sold-out: size M of COA-101-BLK is sold out': 54,
  });
  expect(await counts(db, SCARCE, 'M')).toEqual([0, 10, 0, 10]);
  expect(await counts(db, SCARCE, 'L')).toEqual([480, 20, 0, 500]);
  expect(await counts(db, PLENTY, 'ONE_SIZE')).toEqual([470, 30, 0, 500]);
  expect(await unbalanced(db)).toEqual([]);
});

it('those who buy, commit and cancel the same pieces at once do not deadlock either', async () => {
  const { participant, transact, db } = inventory;
  const forth = [item(SCARCE, 'L'), item(PLENTY, 'ONE_SIZE')];
  const back = forth.toReversed();
  const held = Array.from({ length: 2 * 21 }, (_, n) => ask(...(n % 2 ? forth : back)));
  await transact((work) => participant.prepareAll(held, work));
  const starts = held.map((each, n) => () => {
    if (n % 2) return transact((work) => participant.commit(each, work));
    return transact((work) => participant.cancel(each, work));
  });
  const buyers = Array.from({ length: 22 }, (_, n) => async () => {
    await transact((work) => participant.prepare(ask(...(n % 2 ? forth : back)), work));
  });
  await atOnce([...starts, ...buyers]);
  expect(await counts(db, SCARCE, 'L')).toEqual([457, 22, 21, 500]);
  expect(await counts(db, PLENTY, 'ONE_SIZE')).toEqual([457, 22, 21, 500]);
  expect(await unbalanced(db)).toEqual([]);
});

it('units that prepare some asks and end others lock the rows of all of them first', async () => {
  const { participant, transact, db } = inventory;
  const [one, other] = [item(SCARCE, 'L'), item(PLENTY, 'ONE_SIZE')];
  const held = Array.from({ length: BUYERS }, (_, n) => ask(n % 2 ? one : other));
  await transact((work) => participant.prepareAll(held, work));
  const units = held.map((ending, n) => async () => {
    const buying = ask(n % 2 ? other : one);
    await transact(async (work) => {
      await participant.lockAll([buying, ending], work);
      await participant.prepare(buying, work);
      await participant.commit(ending, work);
    });
  });
  await atOnce(units);
  expect(await counts(db, SCARCE, 'L')).toEqual([436, 32, 32, 500]);
  expect(await counts(db, PLENTY, 'ONE_SIZE')).toEqual([436, 32, 32, 500]);
  expect(await unbalanced(db)).toEqual([]);
});
