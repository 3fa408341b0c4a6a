import { kindOf } from '@aura/platform';
import { describe, expect, it } from 'vitest';
import { RecordRefusedError } from '../errors.js';
import {
  acknowledgedBy,
  byLeader,
  fail,
  halveFirst,
  planQueues,
  type PartitionQueue,
} from './append-plan.js';

const lane = (
  partition: number,
  ...indexes: number[]
): { topic: string; partition: number; indexes: number[] } => ({
  topic: 't',
  partition,
  indexes,
});
const queue = (partition: number, ...chunks: number[][]): PartitionQueue => ({
  topic: 't',
  partition,
  leader: 1,
  chunks,
});
const ack = (partition: number, baseOffset: string, errorCode = 0) => ({
  topicName: 't',
  partition,
  errorCode,
  baseOffset,
});

describe('planQueues', () => {
  it('cuts a partition into batches that the broker takes; a larger record stands alone', () => {
    const bytes = [40, 40, 40, 500, 10, 90];
    const [planned] = planQueues(
      [lane(0, 0, 1, 2, 3, 4, 5)],
      new Map([['t', [7]]]),
      (i) => bytes[i] ?? 0,
      100,
    );
    expect(planned).toEqual({
      topic: 't',
      partition: 0,
      leader: 7,
      chunks: [[0, 1], [2], [3], [4, 5]],
    });
  });

  it('puts the partitions of one leader into one request', () => {
    const layouts = new Map([['t', [1, 2, 1]]]);
    const queues = planQueues([lane(0, 0), lane(1, 1), lane(2, 2)], layouts, () => 1, 100);
    expect(byLeader(queues).map((group) => group.map((q) => q.partition))).toEqual([[0, 2], [1]]);
  });
});

describe('acknowledgedBy', () => {
  it('E4: acknowledges only the partitions that the answer names (K2)', () => {
    const sent = [queue(0, [0, 3]), queue(1, [1]), queue(2, [2])];
    const { acks, missing } = acknowledgedBy([ack(0, '17'), ack(2, '5')], sent);
    expect(acks).toEqual([
      { topic: 't', partition: 0, firstOffset: 17n, indexes: [0, 3] },
      { topic: 't', partition: 2, firstOffset: 5n, indexes: [2] },
    ]);
    expect(missing.map((q) => q.partition)).toEqual([1]);
  });

  it('takes neither an error nor an answer without an offset for an acknowledgement', () => {
    const { acks, missing } = acknowledgedBy([ack(0, '17', 6), ack(1, '-1')], [queue(0, [0]), queue(1, [1])]);
    expect(acks).toEqual([]);
    expect(missing).toHaveLength(2);
  });

  it('acknowledges the first chunk alone', () => {
    const { acks } = acknowledgedBy([ack(0, '17')], [queue(0, [0, 1], [2])]);
    expect(acks[0]?.indexes).toEqual([0, 1]);
  });
});

describe('a refused batch', () => {
  it('is halved, in order', () => {
    const q = queue(0, [0, 1, 2], [3]);
    halveFirst(q);
    expect(q.chunks).toEqual([[0, 1], [2], [3]]);
  });

  it('fails alone for good; what stood behind it is to be tried again', () => {
    const q = queue(0, [4], [5, 6], [7]);
    const failures = fail(q, new RecordRefusedError('too large'), true);
    expect(failures.map((f) => [f.indexes, kindOf(f.error)])).toEqual([
      [[4], 'terminal'],
      [[5, 6, 7], 'transient'],
    ]);
    expect(q.chunks).toEqual([]);
  });

  it('fails whole where it may be tried again', () => {
    const failures = fail(queue(0, [4], [5, 6]), new Error('away'), false);
    expect(failures.map((f) => f.indexes)).toEqual([[4, 5, 6]]);
  });
});
