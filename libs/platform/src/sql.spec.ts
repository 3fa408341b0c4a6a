import { expect, it } from 'vitest';
import { statement } from './sql.js';

it('refuses one name for two texts: Postgres would run the first one’s plan', () => {
  statement('sql_spec_a', 'select 1');
  expect(() => statement('sql_spec_a', 'select 2')).toThrow('used for two texts');
  expect(statement('sql_spec_a', 'select 1').text).toBe('select 1');
});

it('refuses a name that Postgres would cut off', () => {
  expect(() => statement('x'.repeat(64), 'select 1')).toThrow('63 bytes');
});
