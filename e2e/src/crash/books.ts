import { Client } from 'pg';
import type { Ledger } from './ledger.js';

/** Runs one query on a connection of its own: the server may have been away since the last one. */
export async function rowsOf<R>(url: string, sql: string): Promise<R[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined); // told by the query
  await client.connect();
  try {
    return (await client.query(sql)).rows as R[];
  } finally {
    await client.end();
  }
}

/** What should be empty when all is quiet, one row per thing that is not. */
const LEFTOVERS = `
  select count(*) || ' ' || what as words from (
    select 'keys are parked' as what from aura.parked_key
    union all select 'letters wait' from aura.letter
    union all select 'keys are parked at the relay' from aura.relay_parked_key
    union all select 'tasks are not ended' from aura.task
    union all select 'events are not published' from aura.outbox
               where position > (select position from aura.relay_cursor)
    union all select 'positions are pending' from aura.relay_cursor, jsonb_array_elements(pending)) as found
   group by what`;

/** Reads the books of both services. */
export async function readLedger(
  urls: { readonly orders: string; readonly stock: string },
  acknowledged: readonly string[],
): Promise<Ledger> {
  const [causes, taken, packedAnswers] = [
    'select id, key, n from cause order by key, n',
    `select id, key, n, after from answer where kind = 'taken' order by seq`,
    `select id, key, n from answer where kind = 'packed'`,
  ].map((sql) => rowsOf<never>(urls.orders, sql));
  const [effects, packed] = [
    'select id, key, n, after from effect order by seq',
    'select id, key, n from packed',
  ].map((sql) => rowsOf<never>(urls.stock, sql));
  const leftovers = Object.entries(urls).map(async ([service, url]) =>
    (await rowsOf<{ words: string }>(url, LEFTOVERS)).map(({ words }) => `${service}: ${words}`),
  );
  return {
    causes: (await causes) ?? [],
    acknowledged: [...acknowledged],
    effects: (await effects) ?? [],
    taken: (await taken) ?? [],
    packed: (await packed) ?? [],
    packedAnswers: (await packedAnswers) ?? [],
    leftovers: (await Promise.all(leftovers)).flat(),
  };
}
