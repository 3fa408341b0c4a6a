import type { QueryResult, QueryResultRow } from 'pg';
import { arrayTypesOf, binaryArray } from './sql-arrays.js';
import { readers } from './sql-times.js';

/** Anything that runs a statement: a pg client, a pool, or a fake in a test of the caller's own. */
export interface Queryable {
  query<R extends QueryResultRow>(config: {
    name?: string;
    text: string;
    values?: unknown[];
    types?: typeof readers;
  }): Promise<QueryResult<R>>;
}

/**
 * One SQL statement with a name: prepared once per connection, found by name in `pg_stat_statements` and in
 * traces.
 */
export interface Statement {
  /** `<table>_<verb>_<what>`; at most 63 bytes, unique in the process (Postgres cuts longer names off). */
  readonly name: string;
  readonly text: string;
}

interface Declared {
  readonly text: string;
  /** By parameter, from 0 on. */
  readonly arrays: ReadonlyMap<number, string>;
}

const statements = new Map<string, Declared>();

/**
 * Declares a named statement. Throws when the name is taken by another text (two statements under one name
 * would run the first one's plan) or does not fit Postgres's 63 bytes.
 */
export function statement(name: string, text: string): Statement {
  if (Buffer.byteLength(name) > 63)
    throw new Error(`statement name ${name} is longer than 63 bytes: shorten it`);
  const known = statements.get(name);
  if (known && known.text !== text) throw new Error(`statement name ${name} is used for two texts`);
  statements.set(name, known ?? { text, arrays: arrayTypesOf(text) });
  return { name, text };
}

/** Runs a named statement and gives its rows. Values are parameters, never text. */
export async function run<R extends QueryResultRow>(
  db: Queryable,
  { name, text }: Statement,
  values: unknown[] = [],
): Promise<R[]> {
  const arrays = statements.get(name)?.arrays;
  const parameters = values.map((value, index) => {
    const type = Array.isArray(value) ? arrays?.get(index) : undefined;
    return type === undefined ? value : (binaryArray(type, value as unknown[]) ?? value);
  });
  return (await db.query<R>({ name, text, values: parameters, types: readers })).rows;
}
