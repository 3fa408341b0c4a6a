import { newEventId } from '@aura/contracts';
import { TerminalError } from '@aura/platform';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { standInId } from './delivery.js';
import { inboxDays, refuseFutureId } from './inbox-days.js';

it('makes days that follow each other without a gap, named by their date', () => {
  const days = inboxDays(new Date('2026-12-31T23:59:59.999Z'), 2);
  expect(days.map(({ name }) => name)).toEqual(['inbox_20261231', 'inbox_20270101', 'inbox_20270102']);
  expect(days[0]?.to).toBe(days[1]?.from);
  expect(days[1]?.to).toBe(days[2]?.from);
});

it('holds every id of its day, and none of another', () => {
  const instants = fc.date({ min: new Date('2020-01-01'), max: new Date('2200-01-01'), noInvalidDate: true });
  fc.assert(
    fc.property(instants, (time) => {
      const [day] = inboxDays(time, 0);
      const id = newEventId(time);
      expect(id >= (day?.from ?? '') && id < (day?.to ?? '')).toBe(true);
      const next = newEventId(new Date(time.getTime() + 86_400_000));
      expect(next >= (day?.to ?? '')).toBe(true);
    }),
  );
});

it('H50: an id more than an hour ahead is refused, with id and cure; one less ahead is not', () => {
  const now = new Date('2026-05-01T12:00:00Z');
  const ahead = newEventId(new Date('2026-05-01T13:01:00Z'));
  expect(() => refuseFutureId(ahead, now)).toThrow(TerminalError);
  expect(() => refuseFutureId(ahead, now)).toThrow(`event ${ahead} is 61 minutes ahead`);
  refuseFutureId(newEventId(new Date('2026-05-01T12:59:00Z')), now);
  refuseFutureId(newEventId(new Date('2020-01-01T00:00:00Z')), now);
});

it('gives a record without a usable id one of 1970, the same whenever it is delivered', () => {
  const record = {
    topic: 't',
    partition: 3,
    offset: 7n,
    timestampMs: 1,
    key: 'k',
    value: Buffer.alloc(0),
    headers: {},
  };
  expect(standInId(record)).toBe(standInId({ ...record, timestampMs: 2 }));
  expect(standInId(record)).not.toBe(standInId({ ...record, offset: 8n }));
  expect(standInId(record)).toMatch(/^00000000-0000-7/);
});
