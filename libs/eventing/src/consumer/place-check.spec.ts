import { expect, it } from 'vitest';
import { ForgottenGroupError, outOfRange, startWithoutRow, type LogView } from './place-check.js';

const at = { topic: 'shop.events', partition: 3 };
const view = (first: bigint, others: Partial<LogView> = {}): LogView => ({
  bounds: { partition: 3, first, end: 9n },
  committed: undefined,
  othersKnown: false,
  ...others,
});

it.each([
  ['a new group starts at the first record kept', view(4n), 4n],
  ['so does one that the log knows to have read nothing', view(0n, { committed: 0n }), 0n],
  ['and a partition that was added', view(0n, { othersKnown: true }), 0n],
])('E10: %s', (_, seen, start) => {
  expect(startWithoutRow('stock', at, seen)).toBe(start);
});

it.each([
  ['that the log knows', view(0n, { committed: 5n }), 'it had read up to 5'],
  ['whose other partitions are known', view(4n, { othersKnown: true }), 'old enough to begin at 4'],
])('E10: a group %s, and this database forgot, does not start', (_, seen, words) => {
  const refused = startWithoutRow('stock', at, seen);
  expect(refused).toBeInstanceOf(ForgottenGroupError);
  expect(String(refused)).toContain(words);
});

it('E10: both ends of the log are places, what lies outside is none', () => {
  const bounds = { partition: 3, first: 4n, end: 9n };
  expect([3n, 4n, 9n, 10n].map((offset) => outOfRange({ ...at, offset }, bounds)?.name)).toEqual([
    'PositionOutOfRangeError',
    undefined,
    undefined,
    'PositionOutOfRangeError',
  ]);
});
