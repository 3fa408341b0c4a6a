import { expect, it } from 'vitest';
import { daysOverdue, endOfDay, whyKept, type OutboxNeeds } from './retention-rules.js';

const day = { name: 'outbox_20261101', lastPosition: 100n };
const DONE: OutboxNeeds = {
  cursor: { position: 100n, gaps: [], pending: [] },
  parkedFrom: undefined,
  replayedTo: undefined,
  stoppedBy: undefined,
};

it('T1: a day is past the retention when it ended so many days ago, not a millisecond before', () => {
  const end = endOfDay(day.name);
  expect(end?.toISOString()).toBe('2026-11-02T00:00:00.000Z');
  expect(daysOverdue(day.name, new Date('2026-11-08T23:59:59.999Z'), 7)).toBeUndefined();
  expect(daysOverdue(day.name, new Date('2026-11-09T00:00:00.000Z'), 7)).toBe(0);
  expect(daysOverdue(day.name, new Date('2026-11-11T12:00:00.000Z'), 7)).toBe(2);
});

it('T1: what is no day of the outbox is never past the retention', () => {
  for (const name of ['outbox_any_day', 'outbox_2026110', 'outbox_20261101_kept', 'inbox_20261101'])
    expect(daysOverdue(name, new Date('2030-01-01'), 1)).toBeUndefined();
});

it('T2: a day that is done with may go, and so may an empty one', () => {
  expect(whyKept(day, DONE)).toBeUndefined();
  expect(
    whyKept({ ...day, lastPosition: undefined }, { ...DONE, parkedFrom: 1n, replayedTo: 0n }),
  ).toBeUndefined();
});

it.each<[string, Partial<OutboxNeeds>, string]>([
  ['not published', { cursor: { ...DONE.cursor, position: 99n } }, 'has not published position 100'],
  [
    'in a gap',
    { cursor: { ...DONE.cursor, gaps: [{ first: 100n, last: 105n, xid: 7n }] } },
    'looks for positions 100 to 105',
  ],
  ['pending', { cursor: { ...DONE.cursor, pending: [200n, 42n] } }, 'position 42 waits'],
  ['under a parked key', { parkedFrom: 100n }, 'parked waits from position 100'],
  ['needed by a mend', { stoppedBy: 'topic-behind' }, 'has stopped (topic-behind)'],
  ['before a replay', { replayedTo: 99n }, 'replay is running and stands at position 99'],
])('T2: a day stays while something of it is %s, and the reason is said', (_, needs, words) => {
  expect(whyKept(day, { ...DONE, ...needs })).toContain(words);
});

it.each<[string, Partial<OutboxNeeds>]>([
  ['gap', { cursor: { ...DONE.cursor, position: 300n, gaps: [{ first: 101n, last: 105n, xid: 7n }] } }],
  ['pending row', { cursor: { ...DONE.cursor, position: 300n, pending: [101n] } }],
  ['parked key', { parkedFrom: 101n }],
  ['replay', { replayedTo: 100n }],
])('T2: a %s past its last position does not keep it', (_, needs) => {
  expect(whyKept(day, { ...DONE, ...needs })).toBeUndefined();
});
