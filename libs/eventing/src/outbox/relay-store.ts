import { InvariantError, run, statement, TransientError, type Queryable } from '@aura/platform';
import type { AvroSchema, SchemaDefinition } from '@aura/contracts';
import { errorRecord } from '../letters/error-record.js';
import { fromColumns, type CursorColumns, type Gap, type SavedCursor } from './cursor.js';
import type { ParkedKey, WaitingRow } from './lanes.js';

/** A row of the outbox as the relay reads it. */
export interface RelayRow extends WaitingRow {
  readonly eventId: string;
  readonly type: string;
  readonly fingerprint: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

const COLUMNS = `position, event_id, topic, key, type, schema_fingerprint, body, headers, raised_at,
                        octet_length(body) + octet_length(key) + 512 as bytes`;

/**
 * Poll, heartbeat and fence in one statement, in one snapshot: the rows in the gaps ($2, $3) and those past
 * the position ($1), in position order, at most $4 rows and $5 bytes (a single larger row comes alone); $6
 * limits the second branch. Two branches of a `union all`, each by the index of each partition: one `or`
 * reads the whole table (H47). `read_plan.int.spec` keeps its plan; the session forbids sequential scans,
 * because a day's partition has no statistics yet.
 */
export const READ = statement(
  'outbox_read',
  `select snapshot.xmin, snapshot.pid, picked.*
     from (select pg_snapshot_xmin(pg_current_snapshot())::text as xmin, pg_backend_pid() as pid) as snapshot
     left join lateral (
       select * from (
         select found.*, sum(bytes) over (order by position) - bytes as bytes_before
           from (
             select late.*
               from unnest($2::bigint[], $3::bigint[]) as gap(first, last)
              cross join lateral (
                select ${COLUMNS}
                  from aura.outbox
                 where position between gap.first and gap.last
                 order by position limit $4) as late
             union all
             (select ${COLUMNS}
                from aura.outbox
               where position > $1
               order by position limit $6)
             order by position limit $4) as found) as measured
        where bytes_before < $5) as picked on true
    order by picked.position`,
);

/** C3. Takes an xid: called only after a read that showed new gaps. */
const DRAW_XID = statement('relay_draw_xid', 'select pg_current_xact_id()::text as xid');

const FIRST_CURSOR = statement(
  'relay_cursor_insert',
  `insert into aura.relay_cursor (cluster)
   select system_identifier::text from pg_control_system() on conflict do nothing`,
);
const LOAD = statement(
  'relay_cursor_load',
  `select position, gaps, pending, acknowledged, epoch, replays,
          cluster = (select system_identifier::text from pg_control_system()) as same_cluster
     from aura.relay_cursor`,
);
const PARKED = statement('relay_parked_key_list', 'select topic, key, position from aura.relay_parked_key');

/**
 * Cursor, newly parked keys and what became of keys that are resumed, or nothing of it: one statement, on the
 * connection that holds the lock, and only in the epoch that this leader has loaded. $10 to $12: resumed
 * keys, and from which position on they still wait; null: no more. A key is in one of the two lists only.
 */
const SAVE = statement(
  'relay_cursor_save',
  `with saved as (
     update aura.relay_cursor
        set position = $1, gaps = $2::jsonb, pending = $3::jsonb, acknowledged = $4::jsonb,
            saved_at = clock_timestamp(),
            cluster = (select system_identifier::text from pg_control_system())
      where epoch = $9
     returning position
   ), parked as (
     insert into aura.relay_parked_key (topic, key, position, error)
     select topic, key, refused.position, error::jsonb
       from unnest($5::text[], $6::text[], $7::bigint[], $8::text[]) as refused(topic, key, position, error),
            saved
         on conflict (topic, key) do update
            set position = excluded.position, error = excluded.error, parked_at = clock_timestamp(),
                resume_requested = null
   ), resumed as (
     select key.* from unnest($10::text[], $11::text[], $12::bigint[]) as key(topic, key, position), saved
   ), freed as (
     delete from aura.relay_parked_key as k using resumed as r
      where k.topic = r.topic and k.key = r.key and r.position is null
   ), moved as (
     update aura.relay_parked_key as k set position = r.position from resumed as r
      where k.topic = r.topic and k.key = r.key and r.position is not null
   )
   select position from saved`,
);

/** Only where the leader has parked keys: at most once per heartbeat. */
const WANTED = statement(
  'relay_parked_key_wanted',
  `select topic, key, position from aura.relay_parked_key
    where resume_requested is not null order by resume_requested limit $1`,
);

/**
 * Rows of a key among the next $3 rows from $1 on, up to the cursor's position $2; `through` is the last of
 * these rows. The outbox has no index by key: a key that was parked long ago is looked for step by step.
 */
const OF_KEY = statement(
  'outbox_find_of_key',
  `with step as materialized (
     select position, topic, key from aura.outbox
      where position >= $1 and position <= $2 order by position limit $3)
   select max(position)::text as through, count(*)::int as looked,
          coalesce(array_agg(position::text order by position) filter (where topic = $4 and key = $5), '{}')
            as positions
     from step`,
);

/** An estimate: positions that were rolled back count as well. */
const BEHIND = statement('outbox_last_position', 'select max(position)::text as last from aura.outbox');

const SCHEMA = statement(
  'schema_find',
  `select subject, definition from aura.schema where fingerprint = decode($1, 'hex')`,
);
const KEEP_SCHEMAS = statement(
  'schema_insert',
  `insert into aura.schema (fingerprint, subject, definition)
   select decode(fingerprint, 'hex'), subject, definition::jsonb
     from unnest($1::text[], $2::text[], $3::text[]) as written(fingerprint, subject, definition)
       on conflict (fingerprint) do nothing`,
);

export interface ReadLimits {
  readonly rows: number;
  readonly bytes: number;
  /** Rows past the position; 0 reads the gaps only. */
  readonly fresh: number;
}

export interface OutboxRead {
  readonly rows: readonly RelayRow[];
  readonly xmin: bigint;
  readonly cut: boolean;
  /** The backend that answered: another one than before is not the session that holds the lock. */
  readonly pid: number;
}

/** A row of the outbox as Postgres gives it. */
export interface RowColumns {
  position: string;
  event_id: string;
  topic: string;
  key: string;
  type: string;
  schema_fingerprint: Buffer;
  body: Buffer;
  headers: Record<string, string>;
  raised_at: Date;
  bytes: number;
}

/** The snapshot, with a row or without one. */
type ReadColumns = { xmin: string; pid: number } & (RowColumns | { position: null; bytes: number });

export async function readOutbox(
  db: Queryable,
  position: bigint,
  gaps: readonly Gap[],
  limits: ReadLimits,
): Promise<OutboxRead> {
  const found = await run<ReadColumns>(db, READ, [
    String(position),
    gaps.map((gap) => String(gap.first)),
    gaps.map((gap) => String(gap.last)),
    limits.rows,
    limits.bytes,
    limits.fresh,
  ]);
  const [first] = found;
  if (!first) throw new InvariantError('the outbox read gave no snapshot');
  const rows = found.flatMap((row) => (row.position === null ? [] : [toRow(row)]));
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  const cut = rows.length >= limits.rows || bytes >= limits.bytes;
  return { rows, xmin: BigInt(first.xmin), cut, pid: first.pid };
}

export function toRow(row: RowColumns): RelayRow {
  return {
    position: BigInt(row.position),
    eventId: row.event_id,
    topic: row.topic,
    key: row.key,
    type: row.type,
    fingerprint: row.schema_fingerprint.toString('hex'),
    body: row.body,
    headers: row.headers,
    raisedAt: row.raised_at,
    bytes: row.bytes,
  };
}

export async function drawXid(db: Queryable): Promise<bigint> {
  const [row] = await run<{ xid: string }>(db, DRAW_XID);
  if (!row) throw new InvariantError('Postgres gave no transaction id');
  return BigInt(row.xid);
}

export interface LoadedRelay {
  readonly cursor: SavedCursor;
  /** False after a move to another database cluster: saved xids mean nothing here. */
  readonly sameCluster: boolean;
  readonly parked: readonly { topic: string; key: string; position: bigint }[];
  /** Raised by every mend. */
  readonly epoch: bigint;
  /** Replays that have to end before publishing goes on. */
  readonly replays: readonly string[];
}

/** What the last leader saved; an empty cursor the first time. */
export async function loadRelay(db: Queryable): Promise<LoadedRelay> {
  await run(db, FIRST_CURSOR);
  const [row] = await run<CursorColumns & { same_cluster: boolean; epoch: string; replays: string[] }>(
    db,
    LOAD,
  );
  if (!row) throw new InvariantError('aura.relay_cursor is empty: run the migrations');
  const parked = await run<{ topic: string; key: string; position: string }>(db, PARKED);
  return {
    cursor: fromColumns(row),
    sameCluster: row.same_cluster,
    parked: parked.map((key) => ({ ...key, position: BigInt(key.position) })),
    epoch: BigInt(row.epoch),
    replays: row.replays,
  };
}

/** A key that is being resumed: what lies before `from` is in the relay's hands; undefined: all of it. */
export interface ResumedKey {
  readonly topic: string;
  readonly key: string;
  readonly from: bigint | undefined;
}

/** Throws `TransientError` where a mend has begun another epoch since this leader loaded. */
export async function saveRelay(
  db: Queryable,
  columns: CursorColumns,
  parkedKeys: readonly ParkedKey[],
  resumedKeys: readonly ResumedKey[],
  epoch: bigint,
): Promise<void> {
  const [parked, resumed] = [lastOfEach(parkedKeys), lastOfEach(resumedKeys)];
  const saved = await run(db, SAVE, [
    columns.position,
    JSON.stringify(columns.gaps),
    JSON.stringify(columns.pending),
    JSON.stringify(columns.acknowledged),
    parked.map((key) => key.topic),
    parked.map((key) => key.key),
    parked.map((key) => String(key.position)),
    parked.map((key) => JSON.stringify(errorRecord(key.error))),
    String(epoch),
    resumed.map((key) => key.topic),
    resumed.map((key) => key.key),
    resumed.map((key) => (key.from === undefined ? null : String(key.from))),
  ]);
  if (saved.length !== 1)
    throw new TransientError(
      `aura.relay_cursor has no row of epoch ${epoch}: the relay was mended meanwhile, or the row is lost`,
    );
}

/** One statement may touch a row once. */
function lastOfEach<K extends { readonly topic: string; readonly key: string }>(keys: readonly K[]): K[] {
  return [...new Map(keys.map((key) => [`${key.topic}\n${key.key}`, key])).values()];
}

/** Keys that an operator wants to be published again, in the order of the requests. */
export async function wantedKeys(
  db: Queryable,
  limit: number,
): Promise<{ topic: string; key: string; position: bigint }[]> {
  const rows = await run<{ topic: string; key: string; position: string }>(db, WANTED, [limit]);
  return rows.map((row) => ({ ...row, position: BigInt(row.position) }));
}

/** `through`: undefined where nothing is left up to `to`. */
export async function rowsOfKey(
  db: Queryable,
  key: { readonly topic: string; readonly key: string; readonly position: bigint },
  to: bigint,
  limit: number,
): Promise<{ positions: bigint[]; through: bigint | undefined }> {
  const [row] = await run<{ through: string | null; looked: number; positions: string[] }>(db, OF_KEY, [
    String(key.position),
    String(to),
    limit,
    key.topic,
    key.key,
  ]);
  const through = row && row.looked >= limit && row.through !== null ? BigInt(row.through) : undefined;
  return { positions: row?.positions.map(BigInt) ?? [], through };
}

/** How many positions the outbox is past `position`. */
export async function positionsPast(db: Queryable, position: bigint): Promise<number> {
  const [row] = await run<{ last: string | null }>(db, BEHIND);
  const last = BigInt(row?.last ?? 0);
  return last > position ? Number(last - position) : 0;
}

/** Undefined where this service never raised an event with such a schema. */
export async function findSchema(
  db: Queryable,
  fingerprint: string,
): Promise<{ subject: string; definition: AvroSchema } | undefined> {
  const [row] = await run<{ subject: string; definition: AvroSchema }>(db, SCHEMA, [fingerprint]);
  return row;
}

/**
 * Keeps the schemas that this program may write, so that its rows can be framed by any later program. At
 * start, before the first event. Idempotent.
 */
export async function keepSchemas(db: Queryable, definitions: readonly SchemaDefinition[]): Promise<void> {
  await run(db, KEEP_SCHEMAS, [
    definitions.map((d) => d.fingerprint),
    definitions.map((d) => d.subject),
    definitions.map((d) => JSON.stringify(d.schema)),
  ]);
}
