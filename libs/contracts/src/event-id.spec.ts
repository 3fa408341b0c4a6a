import { InvariantError } from '@aura/platform';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derivedId, isUuidV7, timeOf } from './event-id.js';
import { newEventId } from './new-event-id.js';

const time = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31T00:00:00Z') });
const cause = time.map(newEventId);

describe('event ids', () => {
  it('a new id is a UUIDv7 of the given time, and no two are the same', () => {
    fc.assert(
      fc.property(time, (now) => {
        const id = newEventId(now);
        expect(isUuidV7(id)).toBe(true);
        expect(timeOf(id)).toEqual(now);
        expect(newEventId(now)).not.toBe(id);
      }),
    );
  });

  it('H40: a derived id is a UUIDv7 with the time of its cause, and the same every time', () => {
    fc.assert(
      fc.property(cause, fc.string(), fc.nat(), (causeId, group, ordinal) => {
        const id = derivedId({ causeId, group, ordinal });
        expect(isUuidV7(id)).toBe(true);
        expect(timeOf(id)).toEqual(timeOf(causeId));
        expect(derivedId({ causeId, group, ordinal })).toBe(id);
      }),
    );
  });

  it('cause, group and ordinal each tell ids apart', () => {
    const derivation = fc.record({ causeId: cause, group: fc.string({ maxLength: 3 }), ordinal: fc.nat(20) });
    fc.assert(
      fc.property(fc.uniqueArray(derivation, { selector: (d) => JSON.stringify(d), minLength: 2 }), (all) => {
        expect(new Set(all.map(derivedId)).size).toBe(all.length);
      }),
    );
    const causeId = newEventId(new Date(0));
    expect(derivedId({ causeId, group: 'a:1', ordinal: 2 })).not.toBe(
      derivedId({ causeId, group: 'a', ordinal: 12 }),
    );
  });

  // Readers remember ids for days: a release that derives others would apply everything in flight twice.
  it('derived ids never change between releases', () => {
    const causeId = '01981f6c-8a00-7123-8456-0123456789ab';
    expect(derivedId({ causeId, group: 'image-analysis', ordinal: 0 })).toBe(
      '01981f6c-8a00-75df-9419-fba44313efb2',
    );
    expect(derivedId({ causeId, group: 'task', ordinal: 3 })).toBe('01981f6c-8a00-7c6f-8178-8ad51fa62ef7');
  });

  it.each([
    '',
    'x',
    '0199b0c5-1234-4abc-8def-000000000001',
    '0199B0C5-1234-7ABC-8DEF-000000000001',
    '0199b0c5-1234-7abc-cdef-000000000001',
  ])('%j is no event id and causes nothing', (id) => {
    expect(isUuidV7(id)).toBe(false);
    expect(() => derivedId({ causeId: id, group: 'g', ordinal: 0 })).toThrow(InvariantError);
  });
});
