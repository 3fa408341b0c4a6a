import { describe, expect, it } from 'vitest';
import { kindOf } from '@aura/platform';
import { admit, sizeOf } from './admission.js';
import { RecordRefusedError } from './errors.js';
import type { NewRecord } from './event-log.js';
import { partitionOf } from './partition-of.js';

const record = (key: string, size = 1): NewRecord => ({
  topic: 'shop.events',
  key,
  value: Buffer.alloc(size),
  headers: {},
});
const decide = (records: NewRecord[], indexes = records.map((_, i) => i)): ReturnType<typeof admit> =>
  admit(records, indexes, () => 4, 100);

describe('admit', () => {
  it('L2: makes one lane per partition, in the order of the call', () => {
    const records = ['a', 'b', 'c', 'a', 'd', 'b'].map((key) => record(key));
    const { lanes, failed } = decide(records);
    expect(failed).toEqual([]);
    expect(lanes.flatMap((lane) => lane.indexes).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(new Set(lanes.map((lane) => lane.partition)).size).toBe(lanes.length);
    for (const { partition, indexes } of lanes) {
      expect(indexes).toEqual(indexes.toSorted((a, b) => a - b));
      for (const index of indexes) expect(partitionOf(records[index]?.key ?? '', 4)).toBe(partition);
    }
  });

  it('L3: refuses a record that is too large, alone, and holds back what follows it of its key', () => {
    const { lanes, failed } = decide([
      record('a'),
      record('a', 100),
      record('b'),
      record('a'),
      record('a', 200),
    ]);
    expect(lanes.flatMap((lane) => lane.indexes).toSorted((a, b) => a - b)).toEqual([0, 2]);
    expect(failed.map((f) => [f.indexes, kindOf(f.error)])).toEqual([
      [[1], 'terminal'],
      [[3], 'transient'],
      [[4], 'transient'],
    ]);
    expect(failed[0]?.error).toBeInstanceOf(RecordRefusedError);
    expect(failed[0]?.error.message).toContain('101 bytes');
  });

  it.each([
    ['an empty key', ''],
    ['a key with NUL', 'a\0b'],
  ])('refuses %s', (_, key) => {
    expect(decide([record(key)]).failed[0]?.error).toBeInstanceOf(RecordRefusedError);
  });

  it('decides about the given indexes only', () => {
    const { lanes, failed } = decide([record(''), record('b'), record('c')], [2]);
    expect([lanes.flatMap((lane) => lane.indexes), failed]).toEqual([[2], []]);
  });

  it('keeps the same key of two topics apart', () => {
    const other = { ...record('a'), topic: 'other.events' };
    expect(decide([record('a', 200), other]).lanes.map((lane) => lane.topic)).toEqual(['other.events']);
  });

  it('counts bytes, not characters', () => {
    expect(sizeOf({ ...record('ü', 3), headers: { ä: '🧥' } })).toBe(2 + 3 + 2 + 4);
  });
});
