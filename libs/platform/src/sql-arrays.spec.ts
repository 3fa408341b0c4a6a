import { expect, it } from 'vitest';
import { arrayTypesOf, binaryArray } from './sql-arrays.js';

const ID = '0198c7a1-5b6c-7d3e-8f90-a1B2c3d4e5f6';
const INT = [0, 0, 0, 23];

it('knows the arrays of a statement by its own words', () => {
  const types = arrayTypesOf('select $2::uuid[], $1::text, unnest($10::bigint[]), $3::jsonb[], any($4)');
  expect([...types]).toEqual([
    [1, 'uuid'],
    [9, 'bigint'],
  ]);
});

it('writes an array as Postgres does', () => {
  expect(bytesOf('int', [])).toEqual([0, 0, 0, 0, 0, 0, 0, 0, ...INT]);
  const header = [0, 0, 0, 1, 0, 0, 0, 1, ...INT, 0, 0, 0, 3, 0, 0, 0, 1];
  const elements = [0, 0, 0, 4, 0, 0, 0, 7, 255, 255, 255, 255, 0, 0, 0, 4, 255, 255, 255, 254];
  expect(bytesOf('int', [7, null, -2])).toEqual([...header, ...elements]);
});

it('is right also after one that did not fit, or was very large', () => {
  const large = 'é'.repeat(1 << 20);
  expect(binaryArray('text', [large])?.subarray(24).toString()).toBe(large);
  expect(binaryArray('uuid', [ID, 'no uuid'])).toBeUndefined();
  expect(binaryArray('text', ['a'])?.subarray(20)).toEqual(Buffer.from([0, 0, 0, 1, 97]));
});

it.each([
  ['int', [1.5, 2 ** 31, -(2 ** 31) - 1, Number.NaN, '7', 7n, true]],
  ['bigint', [1.5, 2 ** 53, 2n ** 63n, -(2n ** 63n) - 1n, '9223372036854775808', '7 ', '']],
  ['boolean', ['true', 1]],
  ['text', [7, Buffer.from('a')]],
  ['bytea', ['\\x00', new Uint8Array(1)]],
  ['timestamptz', [new Date(Number.NaN), '2026-11-27', 7]],
  ['uuid', [ID.replaceAll('-', ''), `${ID.slice(0, 35)}g`, ID.replace('-', '_'), `${ID.slice(0, 35)}é`, 7]],
  ['jsonb', ['{}']],
] as const)('leaves to pg what is not plainly of type %s', (type, values) => {
  for (const value of values) expect(binaryArray(type, [value]), String(value)).toBeUndefined();
});

function bytesOf(type: string, values: readonly unknown[]): number[] | undefined {
  const written = binaryArray(type, values);
  return written && [...written];
}
