import type { QueryResult, QueryResultRow } from 'pg';

/** Anything that runs a statement: a pg client, a pool, or a fake in a test of the caller's own. */
export interface Queryable {
  query<R extends QueryResultRow>(config: {
    name?: string;
    text: string;
    values?: unknown[];
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

const names = new Map<string, string>();

/**
 * Declares a named statement. Throws when the name is taken by another text (two statements under one name
 * would run the first one's plan) or does not fit Postgres's 63 bytes.
 */
export function statement(name: string, text: string): Statement {
  if (Buffer.byteLength(name) > 63)
    throw new Error(`statement name ${name} is longer than 63 bytes: shorten it`);
  const known = names.get(name);
  if (known !== undefined && known !== text) throw new Error(`statement name ${name} is used for two texts`);
  names.set(name, text);
  return { name, text };
}

/** Runs a named statement and gives its rows. Values are parameters, never text. */
export async function run<R extends QueryResultRow>(
  db: Queryable,
  { name, text }: Statement,
  values: unknown[] = [],
): Promise<R[]> {
  const parameters = values.map((value) => (Array.isArray(value) ? arrayOf(value) : value));
  return (await db.query<R>({ name, text, values: parameters })).rows;
}

/**
 * An array as Postgres reads it: as pg writes one, but without two regular expressions per element and a
 * time zone per time. With set-based statements that is most of what a service sends.
 */
function arrayOf(values: readonly unknown[]): unknown {
  let text = '';
  let [before, element]: [unknown, string | undefined] = [NOTHING, undefined];
  for (const value of values) {
    if (value !== before) element = elementOf(value); // many rows have one and the same time
    if (element === undefined) return values; // pg knows
    before = value;
    text += text === '' ? element : `,${element}`;
  }
  return `{${text}}`;
}

const NOTHING = Symbol('before the first');

function elementOf(value: unknown): string | undefined {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  if (value instanceof Date) return timeOf(value);
  return Buffer.isBuffer(value) ? `"\\\\x${value.toString('hex')}"` : undefined;
}

/** Postgres does not read years of more than four digits in this form: pg has another. */
function timeOf(time: Date): string | undefined {
  const text = time.toISOString();
  return text.length === 24 ? quoted(text) : undefined;
}

function quoted(text: string): string {
  if (!text.includes('"') && !text.includes('\\')) return `"${text}"`;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
