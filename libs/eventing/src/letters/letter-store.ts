/**
 * Sequenced dead letters: the only statements on `aura.parked_key`, `aura.letter` and `aura.letter_count`.
 *
 * L1 whoever writes letters of a key, moves them or frees the key holds the lock of its mark (H3);
 * L2 letters of one key leave in the order of their ids, which is that of their arrival (E2);
 * L3 a key is free exactly when it has no letter: the mark goes only if, under its lock, none is left;
 * L4 `letter_count` is touched last in its transaction, after every other lock: never part of a deadlock.
 */
import { derivedId } from '@aura/contracts';
import { run, statement, type Queryable } from '@aura/platform';
import { laneKey, storableText, type Lane } from '../consumer/delivery.js';
import { backoffMs } from '../tasks/task.js';
import { insertTasks } from '../tasks/task-store.js';
import type { ErrorRecord } from './error-record.js';
import { LettersFullError } from './letters-full-error.js';
import type { LetterLimits } from './letter-limits.js';
import type { NewLetter, ParkedMark, ParkedState, Sorted } from './parking.js';
import { redriveTask } from './redrive-task.js';

/**
 * A statement of its own, after the inbox insert (H13): its snapshot is taken when that insert no longer
 * waits for anybody. In order, so that two units don't deadlock. A row that was deleted while this waited
 * for its lock is not given: free.
 */
const LOCK_PARKED = statement(
  'parked_key_lock',
  `select topic, key from aura.parked_key
    where consumer_group = $1 and (topic, key) in (select * from unnest($2::text[], $3::text[]))
    order by topic, key
      for update`,
);

/** Marks lanes, or adds to what waits behind their marks, which stay as they are; gives their counts. */
const MARK = statement(
  'parked_key_mark',
  `insert into aura.parked_key as k (consumer_group, topic, key, state, task_id, letters)
   select $1, topic, key, state, task_id, letters
     from unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::int[])
          as m(topic, key, state, task_id, letters)
    order by topic, key
       on conflict (consumer_group, topic, key) do update set letters = k.letters + excluded.letters
   returning topic, key, letters`,
);

/** L2. */
const INSERT = statement(
  'letter_insert',
  `insert into aura.letter
          (consumer_group, topic, key, partition, log_offset, event_id, type, value, headers, error, attempts)
   select $1, topic, key, partition, log_offset, event_id, type, value, headers::jsonb, error::jsonb, attempts
     from unnest($2::text[], $3::text[], $4::int[], $5::bigint[], $6::uuid[], $7::text[], $8::bytea[],
                 $9::text[], $10::text[], $11::int[])
          with ordinality
          as l(topic, key, partition, log_offset, event_id, type, value, headers, error, attempts, ordinal)
    order by ordinal`,
);

const GROUP_LETTERS = statement(
  'letter_count_read',
  'select letters from aura.letter_count where consumer_group = $1',
);

const COUNT = statement(
  'letter_count_add',
  `insert into aura.letter_count as c (consumer_group, letters) values ($1, greatest($2::bigint, 0))
       on conflict (consumer_group) do update set letters = greatest(c.letters + $2::bigint, 0)`,
);

const LOCK_MARK = statement(
  'parked_key_lock_one',
  `select state, task_id from aura.parked_key
    where consumer_group = $1 and topic = $2 and key = $3 for update`,
);

const REMOVE = statement('letter_remove', 'delete from aura.letter where id = any($1::bigint[])');

/** L3. A statement of its own after the letters are gone: its snapshot shows what is left. */
const FREE = statement(
  'parked_key_free',
  `delete from aura.parked_key k
    where consumer_group = $1 and topic = $2 and key = $3
      and not exists (select from aura.letter l
                       where l.consumer_group = k.consumer_group and l.topic = k.topic and l.key = k.key)
   returning key`,
);

const SHRINK = statement(
  'parked_key_shrink',
  `update aura.parked_key set letters = greatest(letters - $4::bigint, 0)
    where consumer_group = $1 and topic = $2 and key = $3`,
);

const FAIL_LETTER = statement(
  'letter_fail',
  'update aura.letter set attempts = $2, error = $3::jsonb where id = $1',
);

const SET_STATE = statement(
  'parked_key_state',
  `update aura.parked_key set state = $4, task_id = $5
    where consumer_group = $1 and topic = $2 and key = $3`,
);

const FORGET_ATTEMPTS = statement(
  'letter_forget_attempts',
  `update aura.letter set attempts = 0
    where id in (
      select (select min(l.id) from aura.letter l
               where l.consumer_group = $1 and l.topic = lane.topic and l.key = lane.key)
        from unnest($2::text[], $3::text[]) as lane(topic, key))`,
);

const START_OVER = statement(
  'parked_key_start_over',
  `update aura.parked_key k set state = 'retrying', task_id = lane.task_id
     from unnest($2::text[], $3::text[], $4::uuid[]) as lane(topic, key, task_id)
    where k.consumer_group = $1 and k.topic = lane.topic and k.key = lane.key`,
);

/**
 * Locks the marks of these lanes until the end of the transaction; gives those that are parked (`laneKey`).
 */
export async function lockParked(db: Queryable, group: string, lanes: readonly Lane[]): Promise<Set<string>> {
  const rows = await run<{ topic: string; key: string }>(db, LOCK_PARKED, [
    group,
    lanes.map((lane) => lane.topic),
    lanes.map((lane) => lane.key),
  ]);
  return new Set(rows.map(laneKey));
}

/**
 * Parks keys and writes what waits, in order; a key that may come through gets the task of its next attempt.
 * The caller holds the marks' locks, or makes them here; at the end of its transaction it has to
 * `countLetters`. Gives how many tasks there are now. Throws `LettersFullError` (H52); what units under way
 * at the same time park may pass the group's bound by their size.
 */
export async function park(
  db: Queryable,
  group: string,
  { marks, letters }: Pick<Sorted, 'marks' | 'letters'>,
  limits: Required<LetterLimits>,
  now: Date,
): Promise<number> {
  await refuseFullGroup(db, group, letters, limits.perGroup);
  const tasks = new Map(
    marks
      .filter((mark) => mark.state === 'retrying')
      .map((mark) => [laneKey(mark), derivedId(ticketOf(mark, group))]),
  );
  refuseFullKeys(await writeMarks(db, group, marks, letters, tasks), letters, limits.perKey);
  await insertLetters(db, group, letters);
  const dueAt = new Date(now.getTime() + backoffMs(1, Math.random(), limits));
  const heads = letters.filter(({ error, delivery }) => error && tasks.has(laneKey(delivery.record)));
  const rows = [...Map.groupBy(heads, ({ delivery }) => laneKey(delivery.record))].map(([lane, [head]]) =>
    redriveTask((head as NewLetter).delivery.record, tasks.get(lane) as string, dueAt),
  );
  if (rows.length > 0) await insertTasks(db, rows);
  return rows.length;
}

/** A unit that is repeated wants the same task again. */
function ticketOf({ eventId }: ParkedMark, group: string) {
  return { causeId: eventId, group: `${group}/redrive`, ordinal: 0 };
}

async function refuseFullGroup(
  db: Queryable,
  group: string,
  letters: readonly NewLetter[],
  cap: number,
): Promise<void> {
  const [count] = await run<{ letters: string }>(db, GROUP_LETTERS, [group]);
  if (Number(count?.letters ?? 0) + letters.length <= cap) return;
  throw fullError(letters, { of: 'group', letters: cap });
}

function refuseFullKeys(
  counts: readonly { topic: string; key: string; letters: string }[],
  letters: readonly NewLetter[],
  cap: number,
): void {
  const full = new Set(counts.filter((lane) => Number(lane.letters) > cap).map(laneKey));
  if (full.size === 0) return;
  const without = letters.filter(({ delivery }) => full.has(laneKey(delivery.record)));
  throw fullError(without, { of: 'key', letters: cap });
}

function fullError(letters: readonly NewLetter[], cap: LettersFullError['cap']): LettersFullError {
  const records = letters.map(({ delivery }) => delivery.record);
  const places = new Map(records.map((r) => [`${r.topic}/${r.partition}`, r]));
  return new LettersFullError(
    [...places.values()].map(({ topic, partition }) => ({ topic, partition })),
    [...new Map(records.map((r) => [laneKey(r), { topic: r.topic, key: r.key }])).values()],
    cap,
  );
}

function writeMarks(
  db: Queryable,
  group: string,
  marks: readonly ParkedMark[],
  letters: readonly NewLetter[],
  tasks: ReadonlyMap<string, string>,
) {
  const states = new Map(marks.map((m) => [laneKey(m), m.state]));
  const lanes = [...Map.groupBy(letters, ({ delivery }) => laneKey(delivery.record))];
  const records = lanes.map(([, [first]]) => (first as NewLetter).delivery.record);
  return run<{ topic: string; key: string; letters: string }>(db, MARK, [
    group,
    records.map((r) => r.topic),
    records.map((r) => r.key),
    lanes.map(([lane]) => states.get(lane) ?? 'retrying'),
    lanes.map(([lane]) => tasks.get(lane) ?? null),
    lanes.map(([, waiting]) => waiting.length),
  ]);
}

async function insertLetters(db: Queryable, group: string, letters: readonly NewLetter[]): Promise<void> {
  const records = letters.map((letter) => letter.delivery.record);
  await run(db, INSERT, [
    group,
    records.map((r) => r.topic),
    records.map((r) => r.key),
    records.map((r) => r.partition),
    records.map((r) => r.offset.toString()),
    letters.map((l) => l.delivery.id),
    records.map((r) => r.headers['ce_type'] ?? ''),
    records.map((r) => r.value),
    records.map((r) => storable(r.headers)),
    letters.map((l) => (l.error ? storable(l.error) : null)),
    letters.map((l) => l.attempts),
  ]);
}

/** L4. `change`: letters written, or less than 0 for those that went. */
export async function countLetters(db: Queryable, group: string, change: number): Promise<void> {
  if (change !== 0) await run(db, COUNT, [group, change]);
}

/** L1. Locks one mark until the end of the transaction; undefined: the key is free. */
export async function lockMark(
  db: Queryable,
  group: string,
  { topic, key }: Lane,
): Promise<{ readonly state: ParkedState; readonly taskId: string | undefined } | undefined> {
  const [row] = await run<{ state: ParkedState; task_id: string | null }>(db, LOCK_MARK, [group, topic, key]);
  return row && { state: row.state, taskId: row.task_id ?? undefined };
}

/** L3. Removes letters of one key, whose mark is locked; true when the key is free now. */
export async function removeLetters(
  db: Queryable,
  group: string,
  { topic, key }: Lane,
  ids: readonly string[],
): Promise<boolean> {
  if (ids.length > 0) await run(db, REMOVE, [ids]);
  if ((await run(db, FREE, [group, topic, key])).length > 0) return true;
  await run(db, SHRINK, [group, topic, key, ids.length]);
  return false;
}

export async function failLetter(
  db: Queryable,
  id: string,
  attempts: number,
  error: ErrorRecord,
): Promise<void> {
  await run(db, FAIL_LETTER, [id, attempts, storable(error)]);
}

/** What becomes of a locked mark next: tried by `taskId`, or dead. */
export async function setNextAttempt(
  db: Queryable,
  group: string,
  { topic, key }: Lane,
  taskId: string | undefined,
): Promise<void> {
  await run(db, SET_STATE, [group, topic, key, taskId ? 'retrying' : 'dead', taskId ?? null]);
}

/** The heads of these keys, whose marks are locked, get all their attempts again. */
export async function forgetAttempts(db: Queryable, group: string, lanes: readonly Lane[]): Promise<void> {
  await run(db, FORGET_ATTEMPTS, [group, lanes.map((l) => l.topic), lanes.map((l) => l.key)]);
}

/** Locked marks, each tried by its task of `taskIds` from now on. */
export async function startOver(
  db: Queryable,
  group: string,
  lanes: readonly Lane[],
  taskIds: readonly string[],
): Promise<void> {
  await run(db, START_OVER, [group, lanes.map((l) => l.topic), lanes.map((l) => l.key), taskIds]);
}

/** JSON that `jsonb` takes whatever a stranger put in: a letter must not fail because of its own error. */
function storable(fields: object): string {
  return JSON.stringify(
    Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [
        storableText(name),
        typeof value === 'string' ? storableText(value) : value,
      ]),
    ),
  );
}
