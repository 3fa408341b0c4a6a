import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { run, statement, type Queryable } from './sql.js';

const require = createRequire(import.meta.url);
const { prepareValue } = require('pg/lib/utils') as { prepareValue: (value: unknown) => string };

it('refuses one name for two texts: Postgres would run the first one’s plan', () => {
  statement('sql_spec_a', 'select 1');
  expect(() => statement('sql_spec_a', 'select 2')).toThrow('used for two texts');
  expect(statement('sql_spec_a', 'select 1').text).toBe('select 1');
});

it('refuses a name that Postgres would cut off', () => {
  expect(() => statement('x'.repeat(64), 'select 1')).toThrow('63 bytes');
});

/** What is sent for `value`. */
async function sent(value: unknown): Promise<unknown> {
  let values: unknown[] | undefined;
  const db = { query: (config: { values?: unknown[] }) => ((values = config.values), { rows: [] }) };
  await run(db as unknown as Queryable, { name: 'sql_spec_sent', text: '' }, [value]);
  return values?.[0];
}

it('sends arrays as pg would, whatever texts and bytes are in them', async () => {
  let state = 1; // a fixed sequence: this library comes before the one with seeds
  const below = (n: number): number => (state = (state * 48_271) % 2_147_483_647) % n;
  const text = (): string =>
    Array.from({ length: below(12) }, () => 'a"\\{},\n NULLé€😀'.at(below(17)) ?? '').join('');
  for (let round = 0; round < 500; round++) {
    const texts = Array.from({ length: below(6) }, () => (below(9) === 0 ? null : text()));
    expect(await sent(texts)).toBe(prepareValue(texts));
    const bytes = texts.map((each) => (each === null ? null : Buffer.from(each)));
    expect(String(await sent(bytes)).replaceAll('"', '')).toBe(prepareValue(bytes)); // hex needs no quotes
  }
});

it('sends times as the instants that they are, and leaves to pg what it knows better', async () => {
  const time = new Date(1_764_331_200_123);
  expect(await sent([time])).toBe('{"2025-11-28T12:00:00.123Z"}');
  expect(await sent([1, 2n, true])).toBe('{1,2,true}');
  const far = [new Date(8.64e15)];
  expect(await sent(far)).toBe(far);
  const nested = [['a'], ['b']];
  expect(await sent(nested)).toBe(nested);
});
