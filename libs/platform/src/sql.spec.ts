import { expect, it } from 'vitest';
import { run, statement, type Queryable } from './sql.js';

it('refuses one name for two texts: Postgres would run the first one’s plan', () => {
  statement('sql_spec_a', 'select 1');
  expect(() => statement('sql_spec_a', 'select 2')).toThrow('used for two texts');
  expect(statement('sql_spec_a', 'select 1').text).toBe('select 1');
});

it('refuses a name that Postgres would cut off', () => {
  expect(() => statement('x'.repeat(64), 'select 1')).toThrow('63 bytes');
});

it('sends an array in Postgres’s own form where the statement says of what it is', async () => {
  const { name, text } = statement('sql_spec_arrays', 'select $1::int[], $2::text, $3::uuid[], any($4)');
  let values: unknown[] | undefined;
  const db = { query: (config: { values?: unknown[] }) => ((values = config.values), { rows: [] }) };
  await run(db as unknown as Queryable, { name, text }, [[1], 'a', ['no uuid'], [2]]);
  expect(values).toEqual([expect.any(Buffer), 'a', ['no uuid'], [2]]);
});
