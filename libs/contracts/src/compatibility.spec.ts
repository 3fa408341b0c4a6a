import { describe, expect, it } from 'vitest';
import { CASES } from '../test/compatibility-cases.js';
import { revisionProblems, transitiveProblems } from './compatibility.js';
import type { AvroSchema } from './event.js';

describe('FULL_TRANSITIVE', () => {
  it.each(CASES.map((c) => [c.name, c] as const))('%s', (_, { earlier, later, refused }) => {
    const problems = transitiveProblems(later, earlier);
    if (!refused) return expect(problems).toEqual([]);
    const [path, reason] = refused;
    expect(problems).toContainEqual({ path, reason: expect.stringContaining(reason) as string });
  });
});

function schema(type: unknown, key = 'id'): AvroSchema {
  const fields = [
    { name: 'id', type: 'string' },
    { name: 'v', type },
  ];
  return { type: 'record', name: 'R', namespace: 'n', 'aura.key': key, fields };
}

function decimal(scale: number): object {
  return { type: 'bytes', logicalType: 'decimal', precision: 9, scale };
}

describe('what the build asks beyond the registry', () => {
  const millis = { type: 'long', logicalType: 'timestamp-millis' };

  it('a new scale under the same bytes is refused', () => {
    expect(revisionProblems(schema(decimal(3)), schema(decimal(2)))).not.toEqual([]);
  });

  it('another logical type under the same bytes is refused', () => {
    const date = { type: 'int', logicalType: 'date' };
    expect(revisionProblems(schema([date, 'null', millis]), schema([date, 'null', millis]))).toEqual([]);
    expect(
      revisionProblems(schema(millis), schema({ type: 'long', logicalType: 'timestamp-micros' })),
    ).not.toEqual([]);
  });

  it('another key is refused: order would be kept by something else', () => {
    expect(revisionProblems(schema('string', 'v'), schema('string'))).toEqual([
      { path: '', reason: expect.stringContaining('its key is v, was id') as string },
    ]);
  });

  it('a nested record that moves to another namespace is refused: our reader goes by full names', () => {
    const point = { type: 'record', name: 'P', fields: [{ name: 'x', type: 'int' }] };
    expect(revisionProblems(schema({ ...point, namespace: 'm' }), schema(point))).not.toEqual([]);
  });
});
