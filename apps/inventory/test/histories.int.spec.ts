import type { Ask, Vote } from '@aura/saga';
import type { StockHold } from '@aura/schemas';
import { seeded, type Seeded } from '@aura/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  ask,
  counts,
  item,
  runningInventory,
  stockUp,
  unbalanced,
  type RunningInventory,
} from './running.js';

const PIECES = ['M', 'L', 'XL'].map((size) => ({ sku: 'SWE-101-NVY', size }));
const RECEIVED = 60;
const ROUNDS = 80;

let inventory: RunningInventory;
beforeAll(async () => {
  inventory = await runningInventory();
});
afterAll(() => inventory.end());

type StockAsk = Ask<StockHold>;
type Unit = () => Promise<void>;

/** What the votes and the decisions say, kept apart from the tables. */
class Books {
  readonly held: StockAsk[] = [];
  readonly sold: StockAsk[] = [];
  refusals = 0;

  voted(asks: readonly StockAsk[], votes: readonly Vote[]): void {
    this.held.push(...asks.filter((_, index) => votes[index]?.prepared));
  }

  /** Takes some of the held ones away, to be ended. */
  take(random: Seeded): StockAsk[] {
    const some = random.shuffle(this.held).slice(0, 1 + random.int(6));
    for (const each of some) this.held.splice(this.held.indexOf(each), 1);
    return some;
  }

  pieces(asks: readonly StockAsk[], size: string): number {
    const items = asks.flatMap(({ input }) => input.items).filter((each) => each.size === size);
    return items.reduce((sum, { quantity }) => sum + quantity, 0);
  }

  /** `[on hand, held, sold, received]` as it has to be. */
  counts(size: string): number[] {
    const [held, sold] = [this.pieces(this.held, size), this.pieces(this.sold, size)];
    return [RECEIVED - held - sold, held, sold, RECEIVED];
  }

  /** What an ask after the other would be answered: the long way. */
  answers(asks: readonly StockAsk[]): boolean[] {
    const left = new Map(PIECES.map(({ size }) => [size, this.counts(size)[0] ?? 0]));
    return asks.map(({ input: { items } }) => {
      if (items.some(({ size, quantity }) => quantity > (left.get(size) ?? 0))) return false;
      for (const { size, quantity } of items) left.set(size, (left.get(size) ?? 0) - quantity);
      return true;
    });
  }
}

function someAsks(random: Seeded): StockAsk[] {
  return Array.from({ length: 1 + random.int(6) }, () => {
    const pieces = random.shuffle(PIECES).slice(0, 1 + random.int(PIECES.length));
    return ask(...pieces.map(({ sku, size }) => item(sku, size, 1 + random.int(3))));
  });
}

/**
 * One transaction: a phase for some asks, by the set or one by one; now and then it is rolled back. `alone`:
 * no other one runs, so the votes are known. One by one the rows are not locked in order.
 */
function someUnit(random: Seeded, books: Books, alone: boolean): Unit {
  const { participant, transact } = inventory;
  const [bySet, undone] = [!alone || random.chance(0.5), random.chance(0.15)];
  const asks = random.chance(0.5) ? someAsks(random) : [];
  const ending = asks.length > 0 ? [] : books.take(random);
  const sell = random.chance(0.15);
  return async () => {
    let votes: Vote[] = [];
    const unit = transact(async (work) => {
      if (bySet) {
        votes = [...(await participant.prepareAll(asks, work))];
        await participant[sell ? 'commitAll' : 'cancelAll'](ending, work);
      } else {
        for (const each of asks) votes.push(await participant.prepare(each, work));
        for (const each of ending) await participant[sell ? 'commit' : 'cancel'](each, work);
      }
      if (undone) throw new Error('undone on purpose');
    });
    if (undone) {
      await expect(unit).rejects.toThrow('undone on purpose');
      books.held.push(...ending);
      return;
    }
    await unit;
    if (alone) expect(votes.map(({ prepared }) => prepared)).toEqual(books.answers(asks));
    books.refusals += votes.filter(({ prepared }) => !prepared).length;
    books.voted(asks, votes);
    if (sell) books.sold.push(...ending);
  };
}

async function expectBooks(books: Books): Promise<void> {
  for (const { sku, size } of PIECES)
    expect([size, ...(await counts(inventory.db, sku, size))]).toEqual([size, ...books.counts(size)]);
  expect(await unbalanced(inventory.db)).toEqual([]);
}

it('S5: whatever was held, sold, released or undone, every piece is where the votes say', async () => {
  const random = seeded('histories of stock');
  for (const { sku, size } of PIECES) await stockUp(inventory.db, sku, size, RECEIVED);
  const books = new Books();
  for (let round = 0; round < ROUNDS; round++) {
    const alone = round % 2 === 0;
    const units = Array.from({ length: alone ? 1 : 4 }, () => someUnit(random, books, alone));
    await Promise.all(units.map((unit) => unit()));
    await expectBooks(books);
  }
  // Otherwise nothing was tried.
  expect(books.refusals).toBeGreaterThan(0);
  expect(books.sold.length).toBeGreaterThan(0);
});
