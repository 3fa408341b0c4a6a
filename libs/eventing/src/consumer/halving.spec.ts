import type { Batch, LogRecord } from '@aura/event-log';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { finishByHalves, Progress, type Verdict } from './halving.js';

interface Item extends LogRecord {
  readonly key: string;
  readonly id: string;
  /** Its handler throws, every time. */
  readonly poison: boolean;
  /** No handler wants it. */
  readonly skipped: boolean;
}

const items = fc
  .array(
    fc.record({
      lane: fc.integer({ min: 0, max: 7 }),
      poison: fc.boolean(),
      skipped: fc.boolean(),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((drawn) => {
    const ends = new Map<number, bigint>();
    const made = drawn.map(({ lane, poison, skipped }, i): Item => {
      const partition = lane % 3;
      const offset = ends.get(partition) ?? 100n;
      ends.set(partition, offset + 1n);
      const rest = { topic: 't', value: Buffer.alloc(0), headers: {}, timestampMs: 0 };
      return {
        ...rest,
        partition,
        offset,
        key: `k${lane}`,
        id: `e${i}`,
        poison: poison && !skipped,
        skipped,
      };
    });
    return made.toSorted((a, b) => a.partition - b.partition);
  });

function batchesOf(records: readonly Item[]): Batch[] {
  return [...Map.groupBy(records, (r) => r.partition)].map(([partition, group]) => ({
    topic: 't',
    partition,
    records: group,
  }));
}

/** A service: a unit changes all of this or nothing of it. */
class Database {
  readonly offsets = new Map<number, bigint>();
  readonly inbox = new Set<string>();
  readonly applied: Item[] = [];
  readonly letters: Item[] = [];

  unit(piece: readonly Item[], refused: ReadonlySet<string>, progress: Progress): void {
    const fresh = piece.filter(({ id }) => !this.inbox.has(id));
    const standing = new Set(this.letters.map(({ key }) => key));
    const letters = fresh.filter((item) => {
      if (refused.has(item.id)) standing.add(item.key);
      return standing.has(item.key);
    });
    const handled = fresh.filter((item) => !letters.includes(item));
    if (handled.some(({ poison }) => poison)) throw new Error('poison');
    for (const { partition, offset } of progress.after(piece)) this.offsets.set(partition, offset);
    for (const { id } of fresh) this.inbox.add(id);
    this.applied.push(...handled);
    this.letters.push(...letters);
  }
}

/**
 * One process: delivers what is not past the offsets, until it is done or dies at its `crashAfter`th unit.
 */
async function live(database: Database, all: readonly Item[], crashAfter: number): Promise<boolean> {
  const rest = all.filter(({ partition, offset }) => offset >= (database.offsets.get(partition) ?? 0n));
  const progress = new Progress(batchesOf(rest));
  progress.finish(rest.filter(({ skipped }) => skipped));
  const refused = new Set<string>();
  let units = 0;
  let alive = true;
  await finishByHalves(
    rest.filter(({ skipped }) => !skipped),
    {
      attempt(piece) {
        if (++units > crashAfter) alive = false;
        else {
          database.unit(piece, refused, progress);
          progress.finish(piece);
        }
        return alive ? Promise.resolve() : Promise.reject(new Error('crash'));
      },
      judge: () => Promise.resolve<Verdict>(alive ? 'apart' : 'stop'),
      refuse(item) {
        refused.add(item.id);
        return item;
      },
    },
  );
  if (alive)
    for (const { partition, offset } of progress.positions()) database.offsets.set(partition, offset);
  return alive;
}

it('H39: whatever fails or dies, each event is applied once or parked, in the order of its key', async () => {
  await fc.assert(
    fc.asyncProperty(items, fc.array(fc.nat({ max: 20 }), { maxLength: 4 }), async (all, crashes) => {
      const database = new Database();
      for (const crashAfter of crashes) await live(database, all, crashAfter);
      expect(await live(database, all, Infinity)).toBe(true);
      const done = [...database.applied, ...database.letters];
      expect(done.map(({ id }) => id).toSorted()).toEqual(
        all
          .filter(({ skipped }) => !skipped)
          .map(({ id }) => id)
          .toSorted(),
      );
      for (const [, lane] of Map.groupBy(all, ({ key }) => key)) {
        const wanted = lane.filter(({ skipped }) => !skipped);
        const inLane = (of: Item[]) => of.filter(({ key }) => key === lane[0]?.key).map(({ id }) => id);
        const firstPoison = wanted.findIndex(({ poison }) => poison);
        const sound = firstPoison === -1 ? wanted : wanted.slice(0, firstPoison);
        expect(inLane(database.applied)).toEqual(sound.map(({ id }) => id));
        expect(inLane(database.letters)).toEqual(wanted.slice(sound.length).map(({ id }) => id));
      }
      for (const [partition, group] of Map.groupBy(all, (item) => item.partition))
        expect(database.offsets.get(partition)).toBe((group.at(-1)?.offset ?? 0n) + 1n);
    }),
  );
});

const record = (offset: number): LogRecord =>
  ({ topic: 't', partition: 0, offset: BigInt(offset) }) as LogRecord;

it('H39: an offset never passes a record that is not finished, whatever is finished behind it', () => {
  const records = [record(7), record(8), record(9)];
  const progress = new Progress([{ topic: 't', partition: 0, records }]);
  progress.finish([record(8)]);
  expect(progress.positions()).toEqual([]);
  expect(progress.after([record(9)])).toEqual([{ topic: 't', partition: 0, offset: 7n }]);
  expect(progress.after([record(7)])).toEqual([{ topic: 't', partition: 0, offset: 9n }]);
  progress.finish([record(7), record(9)]);
  expect(progress.positions()).toEqual([{ topic: 't', partition: 0, offset: 10n }]);
});

it('takes a piece apart in arrival order, and refuses an item only when it stands alone', async () => {
  const attempts: string[] = [];
  const refused: string[] = [];
  await finishByHalves(['a', 'b', 'x', 'd'], {
    attempt(piece) {
      attempts.push(piece.join(''));
      return piece.includes('x') ? Promise.reject(new Error('x')) : Promise.resolve();
    },
    judge: () => Promise.resolve<Verdict>('apart'),
    refuse(item) {
      refused.push(item);
      return 'X';
    },
  });
  expect(attempts).toEqual(['abxd', 'ab', 'xd', 'x', 'X', 'd']);
  expect(refused).toEqual(['x']);
});

it('does the same piece again, or nothing more, as it is told', async () => {
  const verdicts: Verdict[] = ['again', 'again', 'stop'];
  const attempts: string[] = [];
  await finishByHalves(['a', 'b'], {
    attempt(piece) {
      attempts.push(piece.join(''));
      return Promise.reject(new Error('no'));
    },
    judge: () => Promise.resolve(verdicts.shift() ?? 'stop'),
    refuse: (item) => item,
  });
  expect(attempts).toEqual(['ab', 'ab', 'ab']);
});
