import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnreadableEventError } from './errors.js';
import { frame, unframe } from './framing.js';

describe('Confluent frame', () => {
  it('is a zero, the id in four bytes big-endian, and the body', () => {
    expect(frame(258, Buffer.from('ab')).toString('hex')).toBe('00000001026162');
  });

  it('comes off as it went on', () => {
    fc.assert(
      fc.property(fc.nat(), fc.uint8Array(), (id, bytes) => {
        const body = Buffer.from(bytes);
        expect(unframe(frame(id, body))).toEqual({ id, body });
      }),
    );
  });

  it.each([
    ['', 'a value of 0 bytes has no schema frame'],
    ['00000001', 'a value of 4 bytes has no schema frame'],
    ['7b22612200', 'starts with byte 123 instead of 0'],
    ['00ffffffff', 'names schema id -1'],
  ])('%j is refused: %s', (hex, message) => {
    expect(() => unframe(Buffer.from(hex, 'hex'))).toThrow(message);
    expect(() => unframe(Buffer.from(hex, 'hex'))).toThrow(UnreadableEventError);
  });

  it.each([-1, 1.5, 2 ** 31, Number.NaN])('id %s does not fit', (id) => {
    expect(() => frame(id, Buffer.alloc(0))).toThrow(RangeError);
  });
});
