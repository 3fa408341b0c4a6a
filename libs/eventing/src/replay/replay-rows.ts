/**
 * The outbox as a replay reads it.
 *
 * W1 a statement looks at one window of positions, so its cost has a bound whatever the selection is and
 *    however long the history;
 * W2 only what the relay has settled: at or before the position that it saved, in none of its gaps, not
 *    pending, under no key that it has parked. The rest is the relay's to publish, and is only counted. What
 *    the relay settles in this moment may be left out: it has just been published;
 * W3 by the index of every day, also of one that has no statistics yet: a sequential scan per page would cost
 *    the square of the history.
 */
import { run, statement, withClient, type Queryable } from '@aura/platform';
import type { Pool, PoolClient } from 'pg';
import { toRow, type RelayRow, type RowColumns } from '../outbox/relay-store.js';
import type { ReplaySelection } from '../operations/operations.js';

/** Positions of one statement: past `after`, up to `through`. */
export interface Window {
  readonly after: bigint;
  readonly through: bigint;
}

const SETTLED_TO = statement('replay_settled_to', 'select position::text from aura.relay_cursor');

/**
 * W2. The relay's cursor, in the snapshot of the statement: when a key is resumed, its mark goes and its rows
 * become gaps in one save, and a statement that saw half of that would overtake the relay in the key.
 */
const UNSETTLED = `
  with unsettled as materialized (
    select position, (
             select coalesce(range_agg(range), '{}')
               from (select int8range((gap ->> 0)::bigint, (gap ->> 1)::bigint, '[]') as range
                       from jsonb_array_elements(gaps) as gap
                      union all
                     select int8range(one::bigint, one::bigint, '[]')
                       from jsonb_array_elements_text(pending) as one) as of_one) as ranges
      from aura.relay_cursor)`;

/** $1, $2 the window; then the selection. Times prune the days of the outbox, also in a generic plan. */
const SELECTED = `
      from aura.outbox o
     where o.position > $1 and o.position <= $2
       and o.raised_at >= coalesce($3::timestamptz, '-infinity')
       and o.raised_at < coalesce($4::timestamptz, 'infinity')
       and ($5::text is null or o.topic = $5) and ($6::text is null or o.type = $6)
       and ($7::text is null or o.key = $7)
       and ($8::text is null or o.headers ->> 'correlationid' = $8)`;

/** W2. Nothing before the relay has run for the first time. */
const SETTLED = `
       (o.position <= coalesce((select position from unsettled), 0)
        and not o.position <@ (select ranges from unsettled)
        and not exists (select from aura.relay_parked_key p
                         where p.topic = o.topic and p.key = o.key and o.position >= p.position))`;

const BYTES = 'octet_length(o.body) + octet_length(o.key) + 512';

/** One page, in position order: at most $9 rows, and $10 bytes (a single larger row comes alone). */
export const PAGE = statement(
  'replay_page',
  `${UNSETTLED}
   select * from (
     select found.*, sum(bytes) over (order by position) - bytes as bytes_before
       from (
         select o.position, o.event_id, o.topic, o.key, o.type, o.schema_fingerprint, o.body, o.headers,
                o.raised_at, ${BYTES} as bytes ${SELECTED}
            and ${SETTLED}
          order by o.position limit $9) as found) as measured
    where bytes_before < $10
    order by position`,
);

export const COUNT = statement(
  'replay_count',
  `${UNSETTLED}
   select count(*) filter (where settled)::int as records,
          coalesce(sum(bytes) filter (where settled), 0)::float8 as bytes,
          count(*) filter (where not settled)::int as not_published,
          min(raised_at) filter (where settled) as oldest, max(raised_at) filter (where settled) as newest
     from (select o.raised_at, octet_length(o.body) as bytes, ${SETTLED} as settled ${SELECTED}) as found`,
);

/** As `COUNT`, by key: for a selection of partitions, which only the keys tell. */
const COUNT_KEYS = statement(
  'replay_count_keys',
  `${UNSETTLED}
   select key, count(*) filter (where settled)::int as records,
          coalesce(sum(bytes) filter (where settled), 0)::float8 as bytes,
          count(*) filter (where not settled)::int as not_published,
          min(raised_at) filter (where settled) as oldest, max(raised_at) filter (where settled) as newest
     from (select o.key, o.raised_at, octet_length(o.body) as bytes, ${SETTLED} as settled ${SELECTED})
          as found
    group by key`,
);

const EXTENT = statement(
  'replay_extent',
  `select coalesce(min(position), 1)::text as first, coalesce(max(position), 0)::text as last
     from aura.outbox`,
);

export interface RowCount {
  readonly records: number;
  readonly bytes: number;
  readonly notPublished: number;
  readonly oldest: Date | undefined;
  readonly newest: Date | undefined;
}

/** W3. */
const SETTINGS = statement(
  'replay_session_settings',
  `select set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false),
          set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false)`,
);
const RESET = 'reset enable_seqscan; reset enable_bitmapscan; reset plan_cache_mode; reset jit';

/** W3. One connection of `pool` for as long as `use` reads; given back as it was. */
export function withOutboxReader<T>(pool: Pool, use: (db: PoolClient) => Promise<T>): Promise<T> {
  return withClient(pool, async (client) => {
    await run(client, SETTINGS);
    try {
      return await use(client);
    } finally {
      await client.query(RESET).catch(() => undefined); // a connection that broke is not given back
    }
  });
}

/** The relay's position, as it saved it last; 0 before it has run for the first time. */
export async function settledTo(db: Queryable): Promise<bigint> {
  const [row] = await run<{ position: string }>(db, SETTLED_TO);
  return BigInt(row?.position ?? 0);
}

/** First and last position that the outbox has; an empty one: 1 and 0. */
export async function extentOf(db: Queryable): Promise<{ first: bigint; last: bigint }> {
  const [row] = await run<{ first: string; last: string }>(db, EXTENT);
  return { first: BigInt(row?.first ?? 1), last: BigInt(row?.last ?? 0) };
}

/** W1, W2. Partitions are not looked at. */
export async function readPage(
  db: Queryable,
  selection: ReplaySelection,
  window: Window,
  limits: { readonly rows: number; readonly bytes: number },
): Promise<RelayRow[]> {
  const values = [...valuesOf(selection, window), limits.rows, limits.bytes];
  return (await run<RowColumns & Record<string, unknown>>(db, PAGE, values)).map(toRow);
}

/** W1, W2. `wanted`: which keys count, where only some do. */
export async function countRows(
  db: Queryable,
  selection: ReplaySelection,
  window: Window,
  wanted?: (key: string) => boolean,
): Promise<RowCount> {
  interface Row extends Record<string, unknown> {
    key: string;
    records: number;
    bytes: number;
    not_published: number;
    oldest: Date | null;
    newest: Date | null;
  }
  const rows = await run<Row>(db, wanted ? COUNT_KEYS : COUNT, valuesOf(selection, window));
  return rows
    .filter(({ key }) => !wanted || wanted(key))
    .map(({ records, bytes, not_published: notPublished, oldest, newest }) => ({
      records,
      bytes,
      notPublished,
      oldest: oldest ?? undefined,
      newest: newest ?? undefined,
    }))
    .reduce(sumOf, NOTHING);
}

export const NOTHING: RowCount = {
  records: 0,
  bytes: 0,
  notPublished: 0,
  oldest: undefined,
  newest: undefined,
};

export function sumOf(a: RowCount, b: RowCount): RowCount {
  return {
    records: a.records + b.records,
    bytes: a.bytes + b.bytes,
    notPublished: a.notPublished + b.notPublished,
    oldest: !a.oldest || (b.oldest && b.oldest < a.oldest) ? b.oldest : a.oldest,
    newest: !a.newest || (b.newest && b.newest > a.newest) ? b.newest : a.newest,
  };
}

function valuesOf(
  { from, to, topic, type, key, correlationId }: ReplaySelection,
  { after, through }: Window,
): unknown[] {
  return [
    String(after),
    String(through),
    from ?? null,
    to ?? null,
    topic ?? null,
    type ?? null,
    key ?? null,
    correlationId ?? null,
  ];
}
