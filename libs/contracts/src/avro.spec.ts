import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AvroCodec } from './avro.js';
import { InvalidPayloadError, UnreadableEventError } from './errors.js';
import type { AvroSchema } from './event.js';

/** Values as vectors.json has them; see vectors/generate.py. */
type Tagged = null | boolean | number | string | Tagged[] | { [key: string]: Tagged };
interface Vector {
  name: string;
  schema: AvroSchema;
  value: Tagged;
  hex: string;
  reader?: AvroSchema;
  read?: Tagged;
}

function untag(value: Tagged): unknown {
  if (Array.isArray(value)) return value.map(untag);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value['$long'] === 'string') return BigInt(value['$long']);
  if (typeof value['$bytes'] === 'string') return Buffer.from(value['$bytes'], 'hex');
  if (typeof value['$date'] === 'string') return new Date(value['$date']);
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, untag(v)]));
}

const { madeBy, vectors } = JSON.parse(
  readFileSync(new URL('../vectors/vectors.json', import.meta.url), 'utf8'),
) as { madeBy: Record<string, string>; vectors: Vector[] };

function record(type: unknown, more: object = {}): AvroSchema {
  return { type: 'record', name: 'R', namespace: 'test', fields: [{ name: 'v', type, ...more }] };
}
function codec(type: unknown): AvroCodec {
  return new AvroCodec('test.R', record(type));
}
function problemsOf(schema: AvroSchema, payload: unknown): string {
  try {
    new AvroCodec('test.R', schema).encode(payload as object);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidPayloadError);
    return (error as Error).message;
  }
  return 'accepted';
}

describe(`agreement with avro ${madeBy['avro']} and fastavro ${madeBy['fastavro']}`, () => {
  it.each(vectors.map((v) => [`${v.name}: ${JSON.stringify(v.value).slice(0, 60)}`, v] as const))(
    '%s',
    (_, { name, schema, value, hex, reader, read }) => {
      const writer = new AvroCodec('test', schema);
      const payload = untag(value) as object;
      if (!name.startsWith('decode only')) expect(writer.encode(payload).toString('hex')).toBe(hex);
      expect(writer.decode(Buffer.from(hex, 'hex'), schema)).toEqual(payload);
      if (reader)
        expect(new AvroCodec('test', reader).decode(Buffer.from(hex, 'hex'), schema)).toEqual(
          untag(read as Tagged),
        );
    },
  );
});

describe('values come back as they went in', () => {
  const decimal = { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 3 };
  const cases: [string, unknown, fc.Arbitrary<unknown>][] = [
    ['long', 'long', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
    ['long near 2^51', 'long', fc.bigInt({ min: 2n ** 51n - 5n, max: 2n ** 51n + 5n })],
    ['double', 'double', fc.double()],
    ['string', 'string', fc.string({ unit: 'binary' })],
    [
      'timestamp-millis',
      { type: 'long', logicalType: 'timestamp-millis' },
      fc.date({ noInvalidDate: true, min: new Date(-(2 ** 51) + 1), max: new Date(2 ** 51 - 1) }),
    ],
    [
      'decimal',
      decimal,
      fc.bigInt({ min: -(10n ** 12n) + 1n, max: 10n ** 12n - 1n }).map((n) => {
        const digits = (n < 0n ? -n : n).toString().padStart(4, '0');
        return `${n < 0n ? '-' : ''}${digits.slice(0, -3)}.${digits.slice(-3)}`;
      }),
    ],
    ['uuid', { type: 'string', logicalType: 'uuid' }, fc.uuid()],
    ['uuid of 16 bytes', { type: 'fixed', name: 'U', size: 16, logicalType: 'uuid' }, fc.uuid()],
    ['map', { type: 'map', values: 'long' }, fc.dictionary(fc.string({ unit: 'binary' }), fc.bigInt(0n, 9n))],
  ];
  it.each(cases)('%s', (_, type, values) => {
    const c = codec(type);
    fc.assert(
      fc.property(values, (v) => {
        expect(c.decode(c.encode({ v }), record(type))).toEqual({ v });
      }),
    );
  });

  it('a decimal is written with fewer digits after the point and read with all', () => {
    const c = codec(decimal);
    expect(c.decode(c.encode({ v: '7' }), record(decimal))).toEqual({ v: '7.000' });
  });

  it('a uuid is written and read in lower case', () => {
    const type = { type: 'string', logicalType: 'uuid' };
    const c = codec(type);
    const v = '0199B0C5-1234-7ABC-8DEF-00000000000A';
    expect(c.decode(c.encode({ v }), record(type))).toEqual({ v: v.toLowerCase() });
  });
});

describe('a wrong payload is refused with the path, before anything is written', () => {
  const item = { type: 'record', name: 'Item', fields: [{ name: 'share', type: 'double' }] };
  it.each([
    [
      'a nested value',
      { type: 'array', items: item },
      [{ share: 1 }, { share: 2 }, { share: 'x' }],
      'R.v[2].share: expected double, got "x"',
    ],
    ['a missing field', item, {}, 'R.v.share: expected double, got nothing'],
    ['an unknown field', item, { share: 1, more: 2 }, 'R.v.more: no such field in test.Item'],
    [
      'a value of a map',
      { type: 'map', values: 'int' },
      { 'a b': 1.5 },
      'R.v["a b"]: expected int (32 bits), got 1.5',
    ],
    ['a number for a long', 'long', 5, 'R.v: expected long (a bigint), got 5'],
    ['a long of 65 bits', 'long', 2n ** 63n, 'R.v: expected long (a bigint), got 9223372036854775808n'],
    ['an int of 33 bits', 'int', 2 ** 31, 'R.v: expected int (32 bits), got 2147483648'],
    ['null', 'string', null, 'R.v: expected string (well-formed Unicode), got null'],
    [
      'undefined for a nullable',
      ['null', 'string'],
      undefined,
      'R.v: expected null or string (well-formed Unicode), got nothing',
    ],
    ['half a character', 'string', '\ud800', 'R.v: expected string (well-formed Unicode)'],
    [
      'an enum by a name of Object.prototype',
      { type: 'enum', name: 'E', symbols: ['A'] },
      'constructor',
      'R.v: expected one of A, got "constructor"',
    ],
    [
      'an enum in an array',
      { type: 'enum', name: 'E', symbols: ['A'] },
      ['A'],
      'R.v: expected one of A, got an array of 1',
    ],
    [
      'a union without its branch',
      ['null', 'string', 'long'],
      'bare',
      'R.v: expected null or { "string": string (well-formed Unicode) } or { "long": long (a bigint) }, ' +
        'got "bare"',
    ],
    ['a union of an inherited name', ['null', 'string', 'long'], { constructor: 1 }, 'R.v: expected null or'],
    [
      'a value within a branch',
      ['string', item],
      { 'test.Item': { share: 'x' } },
      'R.v["test.Item"].share: expected double, got "x"',
    ],
    ['a value within a nullable', ['null', item], { share: 'x' }, 'R.v.share: expected double, got "x"'],
    [
      'a decimal that would be rounded',
      { type: 'bytes', logicalType: 'decimal', precision: 5, scale: 2 },
      '1.234',
      'R.v: expected decimal(5, 2) as a string, got "1.234"',
    ],
    [
      'a decimal with too many digits',
      { type: 'bytes', logicalType: 'decimal', precision: 5, scale: 2 },
      '1000.00',
      'R.v: expected decimal(5, 2) as a string, got "1000.00"',
    ],
    [
      'a decimal as a number',
      { type: 'bytes', logicalType: 'decimal', precision: 5, scale: 2 },
      1.5,
      'R.v: expected decimal(5, 2) as a string, got 1.5',
    ],
    [
      'a day that does not exist',
      { type: 'int', logicalType: 'date' },
      '2026-02-30',
      'R.v: expected date (YYYY-MM-DD), got "2026-02-30"',
    ],
    [
      'an invalid date',
      { type: 'long', logicalType: 'timestamp-millis' },
      new Date(Number.NaN),
      'got an invalid Date',
    ],
    [
      'a date that avsc would write wrongly',
      { type: 'long', logicalType: 'timestamp-millis' },
      new Date(-(2 ** 52) - 1),
      'got a Date',
    ],
    ['a string for bytes', 'bytes', 'x', 'R.v: expected bytes (a Buffer), got "x"'],
    [
      'a fixed of another size',
      { type: 'fixed', name: 'F', size: 2 },
      Buffer.alloc(3),
      'R.v: expected fixed (a Buffer of 2 bytes), got a Buffer of 3 bytes',
    ],
  ])('%s', (_, type, v, message) => {
    expect(problemsOf(record(type), { v })).toContain(message);
  });

  it('all paths are listed, up to ten', () => {
    const type = { type: 'array', items: 'int' };
    expect(problemsOf(record(type), { v: ['a', 1, 'b'] })).toBe(
      'R.v[0]: expected int (32 bits), got "a"; R.v[2]: expected int (32 bits), got "b"',
    );
    const many = problemsOf(record(type), { v: Array.from({ length: 10_000 }, () => 'x') });
    expect(many.match(/R\.v\[/g)).toHaveLength(10);
    expect(many).toMatch(/; and more$/);
  });

  it('a payload that is no object', () => {
    expect(problemsOf(record('int'), 'text')).toBe('R: expected record test.R, got "text"');
  });

  it('fields with a default may be left out, and only those', () => {
    const schema = record('int', { default: 3 });
    const c = new AvroCodec('test.R', schema);
    expect(c.decode(c.encode({}), schema)).toEqual({ v: 3 });
    expect(problemsOf(schema, { v: null })).toBe('R.v: expected int (32 bits), got null');
  });
});

function readHex(type: unknown, hex: string): unknown {
  return codec(type).decode(Buffer.from(hex, 'hex'), record(type));
}

describe('bytes from outside', () => {
  it.each([
    ['truncated', 'string', '0a6162'],
    ['followed by more', 'int', '0200'],
    ['empty', 'int', ''],
    ['an enum beyond its symbols', { type: 'enum', name: 'E', symbols: ['A'] }, '02'],
    ['a branch that does not exist', ['null', 'int'], '08'],
    ['a negative length', 'string', '0161'],
    ['two thousand million elements in no bytes', { type: 'array', items: 'string' }, 'feffffff0f'],
    ['two thousand million nulls', { type: 'array', items: 'null' }, 'feffffff0f00'],
    ['two thousand million entries', { type: 'map', values: 'int' }, 'feffffff0f'],
    [
      'a time that avsc reads inexactly',
      { type: 'long', logicalType: 'timestamp-millis' },
      '8180808080808010',
    ],
    ['a uuid that is none', { type: 'string', logicalType: 'uuid' }, '0461ff'],
  ])('%s: UnreadableEventError', (_, type, hex) => {
    expect(() => readHex(type, hex)).toThrow(UnreadableEventError);
  });

  it('a skipped array whose block claims a negative size ends', () => {
    const writer = {
      type: 'record',
      name: 'R',
      namespace: 'test',
      fields: [
        { name: 'u', type: { type: 'array', items: 'int' } },
        { name: 'v', type: 'int' },
      ],
    };
    // One element (count -1), block size -2: avsc itself goes back to the count, for ever.
    expect(codec('int').decode(Buffer.from('0103020004', 'hex'), writer)).toEqual({ v: 2 });
  });

  it('random bytes give a payload or UnreadableEventError, never another error', () => {
    const type = [
      'null',
      {
        type: 'array',
        items: {
          type: 'map',
          values: [
            'null',
            'string',
            'long',
            { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 },
          ],
        },
      },
    ];
    const c = codec(type);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          c.decode(Buffer.from(bytes), record(type));
        } catch (error) {
          expect(error).toBeInstanceOf(UnreadableEventError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('a map\'s key "__proto__" is an entry, not a prototype', () => {
    const c = codec({ type: 'map', values: 'string' });
    const v = JSON.parse('{"__proto__": "x", "a": "y"}') as Record<string, string>;
    const out = c.decode(c.encode({ v }), record({ type: 'map', values: 'string' })) as { v: object };
    expect(Object.keys(out.v)).toEqual(['__proto__', 'a']);
    expect(Object.getPrototypeOf(out.v)).toBe(Object.prototype);
  });
});

function decimalOf(scale: number): object {
  return { type: 'bytes', logicalType: 'decimal', precision: 9, scale };
}

describe('meaning is never changed by resolution', () => {
  it.each([
    ['two scales', decimalOf(2), decimalOf(3)],
    [
      'micros as millis',
      { type: 'long', logicalType: 'timestamp-micros' },
      { type: 'long', logicalType: 'timestamp-millis' },
    ],
    [
      'timestamp and decimal names',
      { type: 'long', logicalType: 'timestamp-millis' },
      { type: 'int', logicalType: 'date' },
    ],
    ['a string as an int', 'string', 'int'],
  ])('%s: UnreadableEventError', (_, writer, reader) => {
    expect(() => codec(reader).readerOf(record(writer))).toThrow(UnreadableEventError);
  });

  it("a decimal without precision is refused in a schema of ours, and read as bytes in another's", () => {
    const broken = { type: 'bytes', logicalType: 'decimal' };
    expect(() => codec(broken)).toThrow(/precision/);
    expect(codec('bytes').decode(Buffer.from('020a', 'hex'), record(broken))).toEqual({
      v: Buffer.from([10]),
    });
  });
});
