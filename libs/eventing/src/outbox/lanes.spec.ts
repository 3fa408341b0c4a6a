import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Lanes, type Batch, type LaneLimits, type Outcome, type WaitingRow } from './lanes.js';

const LIMITS: LaneLimits = {
  batchRows: 5,
  batchBytes: 1_000,
  appends: 2,
  backoff: { initialMs: 100, maxMs: 1_000 },
};
const row = (position: number, key: string, topic = 't', bytes = 1): WaitingRow => ({
  position: BigInt(position),
  topic,
  key,
  bytes,
  raisedAt: new Date(position),
});
const positions = (batch: Batch<WaitingRow> | undefined): number[] | undefined =>
  batch?.rows.map((r) => Number(r.position));
const allOf = (batch: Batch<WaitingRow>): Outcome<WaitingRow> => ({
  acknowledged: new Set(batch.rows),
  failed: new Map(),
});
const without = (batch: Batch<WaitingRow>, lost: (r: WaitingRow) => boolean): Outcome<WaitingRow> => ({
  acknowledged: new Set(batch.rows.filter((r) => !lost(r))),
  failed: new Map(),
});

function lanes(partitions = 4, limits: Partial<LaneLimits> = {}): Lanes<WaitingRow> {
  const made = new Lanes<WaitingRow>({ ...LIMITS, ...limits }, [], () => 1);
  made.learn('t', partitions);
  return made;
}

function mustNext(of: Lanes<WaitingRow>, nowMs = 0): Batch<WaitingRow> {
  const batch = of.next(nowMs);
  if (!batch) throw new Error('nothing to send');
  return batch;
}

describe('lanes', () => {
  it('P1: send nothing of a lane while its last batch is under way', () => {
    const some = lanes(1);
    some.add([1, 2, 3, 4, 5, 6].map((n) => row(n, 'a')));
    const first = mustNext(some);
    expect(positions(first)).toEqual([1, 2, 3, 4, 5]);
    expect(some.next(0)).toBeUndefined();
    some.settle(first, allOf(first), 0);
    expect(positions(some.next(0))).toEqual([6]);
  });

  it('P2: put back in front, in order, what was not acknowledged', () => {
    const some = lanes(1);
    some.add([1, 2, 3, 4].map((n) => row(n, 'a')));
    const first = mustNext(some);
    some.add([row(5, 'a')]);
    some.settle(
      first,
      without(first, (r) => r.position > 2n),
      0,
    );
    expect(some.held()).toEqual([3n, 4n, 5n]);
    expect(some.next(99)).toBeUndefined();
    expect(some.nextRetryMs()).toBe(100);
    expect(positions(some.next(100))).toEqual([3, 4, 5]);
  });

  it('P4, E6: send a failing lane alone, and the others go on', () => {
    const some = lanes(2, { appends: 1 });
    some.add([row(1, 'a'), row(2, 'b'), row(3, 'c'), row(4, 'd')]);
    const first = mustNext(some);
    expect(positions(first)).toEqual([1, 2, 3, 4]);
    some.settle(
      first,
      without(first, (r) => r.key === 'a'),
      0,
    );
    const probe = mustNext(some, 100);
    expect(probe).toMatchObject({ probe: true });
    expect(positions(probe)).toEqual([1]);
    const other = ['b', 'c', 'd'].map((key, at) => row(10 + at, key));
    some.add(other);
    expect(some.next(100)?.rows.length).toBeGreaterThan(0);
  });

  it('P4, E6: try one failing lane at a time, the one that has waited longest', () => {
    const some = lanes(64);
    const keys = ['a', 'b', 'c'];
    some.add(keys.map((key, at) => row(at + 1, key)));
    const first = mustNext(some);
    some.settle(first, { acknowledged: new Set(), failed: new Map() }, 0);
    const tried: (string | undefined)[] = [];
    for (let nowMs = 100; tried.length < 6; nowMs += 2_000) {
      const probe = mustNext(some, nowMs);
      tried.push(...probe.rows.map((r) => r.key));
      expect(some.next(nowMs)).toBeUndefined();
      expect(some.nextRetryMs()).toBeUndefined(); // its answer makes the next round due
      some.settle(probe, { acknowledged: new Set(), failed: new Map() }, nowMs + 1_500);
    }
    expect(tried).toEqual([...keys, ...keys]);
  });

  it('P5: park a key at its first refusal, with what waits behind it, and nothing else', () => {
    const some = lanes(1, { batchRows: 3 });
    some.add([row(1, 'a'), row(2, 'b'), row(3, 'b'), row(4, 'a'), row(5, 'b')]);
    const first = mustNext(some);
    const refusal = { error: new Error('too large'), terminal: true };
    const { parked, parkedRows } = some.settle(
      first,
      {
        acknowledged: new Set([first.rows[0] as WaitingRow]),
        failed: new Map([
          [first.rows[1] as WaitingRow, refusal],
          [first.rows[2] as WaitingRow, { ...refusal, terminal: false }],
        ]),
      },
      0,
    );
    expect(parked).toMatchObject([{ key: 'b', position: 2n }]);
    expect(parkedRows).toEqual([2n, 3n, 5n]);
    expect(positions(some.next(0))).toEqual([4]);
    expect(some.add([row(6, 'b'), row(7, 'a')])).toEqual([6n]);
    expect(some.rows).toBe(2);
  });

  it('P5: a refusal behind a row of its key that must be tried again parks nothing yet', () => {
    const some = lanes(1);
    some.add([row(1, 'a'), row(2, 'a')]);
    const first = mustNext(some);
    const failed = new Map([
      [first.rows[1] as WaitingRow, { error: new Error('too large'), terminal: true }],
    ]);
    expect(some.settle(first, { acknowledged: new Set(), failed }, 0).parked).toEqual([]);
    expect(positions(some.next(100))).toEqual([1, 2]);
  });

  it('E9: bound a batch in rows and bytes; a larger row goes alone', () => {
    const some = lanes(1);
    some.add([row(1, 'a', 't', 600), row(2, 'b', 't', 600), row(3, 'c', 't', 5_000), row(4, 'd', 't', 1)]);
    const sent: (number[] | undefined)[] = [];
    for (let batch = some.next(0); batch; batch = some.next(0)) {
      sent.push(positions(batch));
      some.settle(batch, allOf(batch), 0);
    }
    expect(sent).toEqual([[1], [2], [3], [4]]);
    expect([some.rows, some.bytes]).toEqual([0, 0]);
  });

  it('keep rows of a topic that is unknown, in order, until its partitions are known', () => {
    const some = lanes();
    some.add([row(1, 'a', 'u'), row(2, 'b'), row(3, 'a', 'u')]);
    expect(some.unknownTopics).toEqual(['u']);
    expect(some.held()).toEqual([]);
    some.miss(['u']);
    expect(some.held()).toEqual([1n, 3n]);
    const first = mustNext(some);
    expect(positions(first)).toEqual([2]);
    some.learn('u', 3);
    expect(positions(some.next(0))).toEqual([1, 3]);
  });

  it('P3, E2, E5: whatever fails and however often: every record arrives, each key in order', () => {
    const plan = fc.record({
      keys: fc.array(fc.nat(6), { minLength: 1, maxLength: 60 }),
      partitions: fc.integer({ min: 1, max: 4 }),
      batchRows: fc.integer({ min: 1, max: 7 }),
      // Per answer: which keys' records fail with it, and whether the records arrived all the same (a lost
      // answer).
      answers: fc.array(fc.record({ fails: fc.nat(7), arrived: fc.boolean(), which: fc.nat(3) }), {
        maxLength: 60,
      }),
    });
    fc.assert(
      fc.property(plan, ({ keys, partitions, batchRows, answers }) => {
        const some = lanes(partitions, { batchRows });
        const rows = keys.map((key, at) => row(at + 1, `k${key}`));
        const log: WaitingRow[] = [];
        const underWay: Batch<WaitingRow>[] = [];
        let nowMs = 0;
        for (let turn = 0; some.rows > 0 || rows.length > 0; turn++) {
          some.add(rows.splice(0, 5));
          for (let batch = some.next(nowMs); batch; batch = some.next(nowMs)) underWay.push(batch);
          const answer = answers[turn] ?? { fails: 7, arrived: true, which: 0 };
          const [batch] = underWay.splice(answer.which % Math.max(1, underWay.length), 1);
          if (batch) answered(some, batch, log, answer, nowMs);
          nowMs += 1_000;
        }
        const first = [...new Set(log)];
        expect(first).toHaveLength(keys.length);
        for (const key of new Set(keys)) {
          const ofKey = first.filter((r) => r.key === `k${key}`).map((r) => Number(r.position));
          expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

/** The lane of key `fails` fails as a whole: with the key, everything of its partition in this batch. */
function answered(
  some: Lanes<WaitingRow>,
  batch: Batch<WaitingRow>,
  log: WaitingRow[],
  { fails, arrived }: { fails: number; arrived: boolean },
  nowMs: number,
): void {
  const partitionFails = (r: WaitingRow): boolean => (batch.probe ? fails < 3 : r.key === `k${fails}`);
  log.push(...batch.rows.filter((r) => arrived || !partitionFails(r)));
  some.settle(batch, without(batch, partitionFails), nowMs);
}
