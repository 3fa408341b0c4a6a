import type { EventEnvelope } from '@aura/contracts';
import type { LogRecord } from '@aura/event-log';
import { TerminalError } from '@aura/platform';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { firstCopies, isRefused, laneKey, type Delivery } from '../consumer/delivery.js';
import { putAside } from './parking.js';

const delivery = (key: string, id: string, refusal?: unknown): Delivery => {
  const record = { topic: 't', key } as LogRecord;
  return refusal === undefined
    ? { record, id, event: { id, key } as EventEnvelope }
    : { record, id, refusal };
};

it('E6: what follows a refused event in its key waits behind it; the earlier and other keys go on', () => {
  const error = new TypeError('x is undefined');
  const { handle, letters, marks } = putAside(
    [delivery('a', '1'), delivery('a', '2', error), delivery('b', '3'), delivery('a', '4')],
    new Set(),
  );
  expect(handle.map(({ id }) => id)).toEqual(['1', '3']);
  expect(letters.map((l) => [l.delivery.id, l.error?.name, l.attempts])).toEqual([
    ['2', 'TypeError', 1],
    ['4', undefined, 0],
  ]);
  expect(marks).toEqual([{ topic: 't', key: 'a', state: 'retrying', eventId: '2' }]);
});

it('marks a key dead when its error is permanent, and marks no key twice', () => {
  const parked = new Set([laneKey({ topic: 't', key: 'b' })]);
  const { marks, letters } = putAside(
    [
      delivery('a', '1', new TerminalError('never')),
      delivery('a', '2', new Error('now')),
      delivery('b', '3', new Error('now')),
    ],
    parked,
  );
  expect(marks).toEqual([{ topic: 't', key: 'a', state: 'dead', eventId: '1' }]);
  expect(letters).toHaveLength(3);
});

it('E5: every delivery is handled or becomes a letter', () => {
  const drawn = fc.record({ key: fc.constantFrom('a', 'b', 'c'), refused: fc.boolean() });
  fc.assert(
    fc.property(fc.array(drawn), fc.subarray(['a', 'b', 'c']), (all, parkedKeys) => {
      const deliveries = all.map(({ key, refused }, i) =>
        delivery(key, `${i}`, refused ? new Error('no') : undefined),
      );
      const parked = new Set(parkedKeys.map((key) => laneKey({ topic: 't', key })));
      const { handle, letters } = putAside(deliveries, parked);
      expect([...handle.map((e) => e.id), ...letters.map((l) => l.delivery.id)].toSorted()).toEqual(
        deliveries.map((d) => d.id).toSorted(),
      );
      expect(letters.filter((l) => isRefused(l.delivery)).every((l) => l.attempts === 1)).toBe(true);
    }),
  );
});

it('H2: of copies with one id the first is kept', () => {
  const copies = [delivery('a', '1'), delivery('a', '2'), delivery('b', '1')];
  expect(firstCopies(copies)).toEqual(copies.slice(0, 2));
});
