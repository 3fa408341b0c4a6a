/**
 * What a mend of the relay changes (E10): the cursor's epoch and marks, the outbox's identity, and rows that
 * were raised at positions of before. The cursor's other statements are the leader's own (relay-store.ts).
 */
import { InvariantError, run, statement, type Queryable } from '@aura/platform';
import { fromColumns, type CursorColumns, type SavedCursor } from '../outbox/cursor.js';
import { markToColumns, type PartitionMark } from '../outbox/marks.js';

const LOOK = statement('relay_cursor_look', 'select epoch, replays from aura.relay_cursor');
const LOCK = statement(
  'relay_cursor_lock',
  `select position, gaps, pending, acknowledged, epoch, replays, saved_at from aura.relay_cursor for update`,
);
const BEGIN = statement(
  'relay_epoch_insert',
  `with next as (
     update aura.relay_cursor set acknowledged = $1::jsonb, epoch = epoch + 1, replays = '{}'
     returning epoch)
   insert into aura.relay_epoch (epoch, code, done) select epoch, $2, $3 from next returning epoch`,
);
const AWAIT = statement('relay_cursor_await', 'update aura.relay_cursor set replays = $1::text[]');

const SHORT_WAIT = statement('relay_mend_timeout', `select set_config('lock_timeout', '2s', true)`);
/** Nobody raises meanwhile, and what is in the table is committed: no position is under way. */
const LOCK_OUTBOX = statement('outbox_lock', 'lock table aura.outbox in share row exclusive mode');
const SET_IDENTITY = statement(
  'outbox_set_identity',
  `select setval(name::regclass,
                 greatest($1::bigint, coalesce(pg_sequence_last_value(name::regclass), 0), 1,
                          (select coalesce(max(position), 0) from aura.outbox)))::text as last
     from pg_get_serial_sequence('aura.outbox', 'position') as name`,
);
/**
 * Rows at positions that the cursor has passed, but raised after it was saved: no leader has seen them. Ten
 * seconds for clocks that differ; what was published in these is published again, and readers drop it.
 */
const MOVE_ROWS = statement(
  'outbox_move_unseen',
  `with unseen as (
     delete from aura.outbox where position <= $1 and raised_at > $2::timestamptz - interval '10 seconds'
     returning *)
   insert into aura.outbox (event_id, topic, key, type, schema_fingerprint, body, headers, raised_at)
   select event_id, topic, key, type, schema_fingerprint, body, headers, raised_at
     from unseen order by position
   returning position`,
);
const COUNT_ROWS = statement(
  'outbox_count_unseen',
  `select count(*)::int as rows from aura.outbox
    where position <= $1 and raised_at > $2::timestamptz - interval '10 seconds'`,
);

/** First position that a replay may begin at: what retention has dropped is not there any more. */
const FIRST_KEPT = statement(
  'outbox_first_kept',
  'select (coalesce(max(last_position), 0) + 1)::text as position from aura.outbox_dropped_day',
);

export async function firstKept(db: Queryable): Promise<bigint> {
  const [row] = await run<{ position: string }>(db, FIRST_KEPT);
  return BigInt(row?.position ?? 1);
}

/** The leader's look while it has stopped; its heartbeat as well. */
export async function lookAtEpoch(db: Queryable): Promise<{ epoch: bigint; replays: readonly string[] }> {
  const [row] = await run<{ epoch: string; replays: string[] }>(db, LOOK);
  if (!row) throw new InvariantError('aura.relay_cursor has lost its row: restore it, never guess one');
  return { epoch: BigInt(row.epoch), replays: row.replays };
}

export interface LockedCursor {
  readonly cursor: SavedCursor;
  readonly savedAt: Date;
  readonly replays: readonly string[];
}

/** In a transaction: no leader saves, and no other mend runs, until it ends. */
export async function lockCursor(db: Queryable): Promise<LockedCursor> {
  const [row] = await run<CursorColumns & { saved_at: Date; replays: string[] }>(db, LOCK);
  if (!row) throw new InvariantError('aura.relay_cursor has lost its row: restore it, never guess one');
  return { cursor: fromColumns(row), savedAt: row.saved_at, replays: row.replays };
}

export async function beginEpoch(
  db: Queryable,
  marks: readonly PartitionMark[],
  code: string,
  done: string,
): Promise<bigint> {
  const [row] = await run<{ epoch: string }>(db, BEGIN, [
    JSON.stringify(marks.map(markToColumns)),
    code,
    done,
  ]);
  return BigInt(row?.epoch ?? 0);
}

/** Publishing goes on when these replays have ended. */
export async function awaitReplays(db: Queryable, ids: readonly string[]): Promise<void> {
  await run(db, AWAIT, [ids]);
}

/** In a transaction; waits 2 s at most. Writers of events wait until it ends. */
export async function lockOutbox(db: Queryable): Promise<void> {
  await run(db, SHORT_WAIT);
  await run(db, LOCK_OUTBOX);
}

/** Under the outbox's lock: later positions are past `least` and past every row. Gives the last used one. */
export async function setIdentity(db: Queryable, least: bigint): Promise<bigint> {
  const [row] = await run<{ last: string }>(db, SET_IDENTITY, [String(least)]);
  return BigInt(row?.last ?? 0);
}

/** Under the outbox's lock, after `setIdentity`: rows that no leader can have seen get new positions. */
export async function moveUnseen(db: Queryable, passed: bigint, savedAt: Date): Promise<number> {
  return (await run(db, MOVE_ROWS, [String(passed), savedAt])).length;
}

export async function countUnseen(db: Queryable, passed: bigint, savedAt: Date): Promise<number> {
  const [row] = await run<{ rows: number }>(db, COUNT_ROWS, [String(passed), savedAt]);
  return row?.rows ?? 0;
}
