// History that was not lived through: sagas that were driven here, written again as if they had ended before.
//
// Every row of a sample is copied in all tables of the four services: their ids and times go back by the
// length of the sample, once for each copy, so ids stay in order of time, as they are. Copies in the outbox
// have positions below those that the relay has passed. Not written: the log itself, which these services
// read from where they are.
import { Client } from 'pg';

/** Of one statement, about: the server sorts what it copies. */
const SAGAS_AT_ONCE = 20_000;

/** Ids are of version 7: their first 48 bits are milliseconds. `n` is the number of the copy, $3 its way. */
const ID = (column) =>
  `(lpad(to_hex((('x' || left(replace(${column}::text, '-', ''), 12))::bit(48)::bigint - n * $3::bigint)
                & (1::bigint << 48) - 1), 12, '0')
    || right(replace(${column}::text, '-', ''), 20))::uuid`;
const TIME = (column) => `${column} - n * $3::bigint * interval '1 ms'`;
/** The columns that a copy has otherwise. */
const CHANGED = {
  saga: { id: ID, started_at: TIME, decided_at: TIME, ended_at: TIME },
  saga_log: { saga_id: ID, at: TIME },
  branch: { saga_id: ID, created_at: TIME, prepared_at: TIME, decided_at: TIME },
  inbox: { event_id: ID },
  outbox: { event_id: ID, key: (column) => `(${ID(column)})::text`, position: behind },
};

function behind(column) {
  return `${column} - n * (select max(position) from sample_outbox)`;
}

/**
 * A sample of all that is there now, which must have ended, and a function that writes more of it.
 *
 * @param {string[]} urls the databases of the services
 * @param {number} sagas so many are there now
 */
export async function openHistory(urls, sagas) {
  const clients = [];
  const close = async () => void (await Promise.all(clients.map((client) => client.end())));
  try {
    for (const connectionString of urls) {
      const client = new Client({ connectionString });
      await client.connect();
      clients.push(client);
    }
    const samples = await Promise.all(clients.map(sampleOf));
    const spanMs = Math.ceil(await spanOf(clients[0])) + 1_000;
    let copies = 0;
    return {
      close,
      /** Writes `more` sagas or a little less, whole samples only; gives how many. */
      async write(more) {
        const times = Math.floor(more / sagas);
        const step = Math.max(1, Math.floor(SAGAS_AT_ONCE / sagas));
        const last = copies + times;
        while (copies < last) {
          const range = [copies + 1, Math.min(last, copies + step), spanMs];
          for (const [i, client] of clients.entries()) await copy(client, samples[i], range);
          copies = range[1];
        }
        for (const client of clients) await client.query('vacuum analyze');
        return times * sagas;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Column names by table, of those that have rows; the rows are kept aside in temporary tables. */
async function sampleOf(client) {
  const tables = {};
  for (const table of Object.keys(CHANGED)) {
    await client.query(`create temporary table sample_${table} as select * from aura.${table}`);
    const { rows } = await client.query(
      `select attname as name from pg_attribute
        where attrelid = 'aura.${table}'::regclass and attnum > 0 and not attisdropped order by attnum`,
    );
    const { rowCount } = await client.query(`select from sample_${table} limit 1`);
    if (rowCount > 0) tables[table] = rows.map(({ name }) => name);
  }
  return tables;
}

async function spanOf(client) {
  const { rows } = await client.query(
    `select extract(epoch from max(ended_at) - min(started_at))::float8 * 1000 as ms from sample_saga`,
  );
  return rows[0].ms;
}

async function copy(client, tables, range) {
  for (const [table, columns] of Object.entries(tables)) {
    const values = columns.map((name) => CHANGED[table][name]?.(name) ?? name);
    await client.query(
      `insert into aura.${table} (${columns.join(', ')}) overriding system value
       select ${values.join(', ')} from sample_${table}, generate_series($1::int, $2::int) as n
        order by n desc, ${orderOf(table)}`,
      range,
    );
  }
}

/** As they were written: an index that grows at its end is smaller than one that grows everywhere. */
const orderOf = (table) => (table === 'outbox' ? 'position' : Object.keys(CHANGED[table])[0]);
