import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advance, lostFrom, markFromColumns, markToColumns, type PartitionMark } from './marks.js';

const ack = (offset: number, positions: number[]) => ({
  topic: 't',
  partition: 0,
  partitions: 4,
  offset: BigInt(offset),
  positions: positions.map(BigInt),
});

describe('marks', () => {
  it('M1: keep the position of the very record at their offset, not the highest one', () => {
    const mark = advance(advance(undefined, ack(1, [5, 9])), ack(2, [7]));
    expect(mark).toMatchObject({ offset: 2n, position: 7n });
  });

  it('M2: a record that committed late, or was resumed, lowers what may be lost behind it', () => {
    let mark = advance(undefined, ack(0, [10]));
    mark = advance(mark, ack(1, [20]));
    expect(lostFrom(mark, 1n)).toBe(20n);
    mark = advance(mark, ack(2, [3]));
    expect([lostFrom(mark, 0n), lostFrom(mark, 1n), lostFrom(mark, 2n)]).toEqual([3n, 3n, 3n]);
  });

  it('M2: never name a position behind one that is lost; stay few, and dense at the end', () => {
    const acks = fc.array(fc.array(fc.nat(1_000), { minLength: 1, maxLength: 5 }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(acks, fc.nat(), (batches, at) => {
        let mark: PartitionMark | undefined;
        const records: number[] = [];
        for (const positions of batches) {
          records.push(...positions);
          mark = advance(mark, ack(records.length - 1, positions));
        }
        const offset = at % records.length;
        const from = mark && lostFrom(mark, BigInt(offset));
        const lost = Math.min(...records.slice(offset));
        expect(from).toBeDefined();
        expect(Number(from)).toBeLessThanOrEqual(lost);
        expect(mark?.lows.length).toBeLessThanOrEqual(4);
      }),
      { numRuns: 500 },
    );
  });

  it('M2: in order, a lost tail costs few repeats however long the topic is', () => {
    let mark: PartitionMark | undefined;
    for (let n = 0; n < 10_000; n++) mark = advance(mark, ack(n, [n + 1]));
    const from = Number(mark && lostFrom(mark, 9_998n));
    expect(from).toBeGreaterThan(9_800);
    expect(from).toBeLessThanOrEqual(9_999);
  });

  it('are read from the columns of the first release, whose position may be another record’s', () => {
    expect(markFromColumns(['t', 3, '7', '9'])).toEqual({
      topic: 't',
      partition: 3,
      offset: 7n,
      position: undefined,
      partitions: undefined,
      lows: [],
    });
    const mark = advance(undefined, ack(5, [1, 2]));
    expect(markFromColumns(JSON.parse(JSON.stringify(markToColumns(mark))))).toEqual(mark);
  });
});
