import { describe, expect, it } from 'vitest';
import type { AvroSchema } from './event.js';
import { fingerprintOf } from './fingerprint.js';

const field = (more: object): AvroSchema => ({
  type: 'record',
  name: 'R',
  namespace: 'n',
  'aura.key': 'a',
  fields: [{ name: 'a', type: 'string' }, { name: 'b', ...more } as never],
});
const enumeration = { type: 'enum', name: 'E', symbols: ['A', 'B'] };

describe('the fingerprint of a schema', () => {
  it.each([
    ['a default', field({ type: 'int', default: 0 }), field({ type: 'int', default: 1 })],
    [
      'a logical type',
      field({ type: 'long' }),
      field({ type: { type: 'long', logicalType: 'timestamp-millis' } }),
    ],
    [
      'a scale',
      field({ type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } }),
      field({ type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 3 } }),
    ],
    [
      'the key',
      field({ type: 'string' }),
      { ...(field({ type: 'string' }) as object), 'aura.key': 'b' } as never,
    ],
    ['an alias', field({ type: 'string' }), field({ type: 'string', aliases: ['c'] })],
    [
      'the order of symbols',
      field({ type: enumeration }),
      field({ type: { ...enumeration, symbols: ['B', 'A'] } }),
    ],
    ['a namespace', field({ type: enumeration }), field({ type: { ...enumeration, namespace: 'm' } })],
  ])('differs by %s', (_, one, other) => {
    expect(fingerprintOf(one)).not.toBe(fingerprintOf(other));
  });

  it.each([
    ['docs', field({ type: 'string', doc: 'x' })],
    [
      'the order of attributes',
      {
        fields: (field({ type: 'string' }) as unknown as { fields: object[] }).fields,
        'aura.key': 'a',
        namespace: 'n',
        name: 'R',
        type: 'record',
      },
    ],
    ['a full name', { ...(field({ type: 'string' }) as object), namespace: undefined, name: 'n.R' }],
    ['a primitive written as an object', field({ type: { type: 'string' } })],
  ])('does not differ by %s', (_, other) => {
    expect(fingerprintOf(JSON.parse(JSON.stringify(other)) as AvroSchema)).toBe(
      fingerprintOf(field({ type: 'string' })),
    );
  });

  it('keeps a field of a default that is named like an attribute', () => {
    const point = { type: 'record', name: 'P', fields: [{ name: 'doc', type: 'int' }] };
    expect(fingerprintOf(field({ type: point, default: { doc: 1 } }))).not.toBe(
      fingerprintOf(field({ type: point, default: { doc: 2 } })),
    );
  });

  // Rows in outboxes name schemas by it.
  it('never changes between releases', () => {
    expect(fingerprintOf(field({ type: 'int', default: 1 }))).toBe('7bda26f608ac2392');
  });
});
