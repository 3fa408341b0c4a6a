/** The jobs of a service: the only statements on `aura.replay_job`. */
import { run, statement, type Queryable } from '@aura/platform';
import type { ReplayJob, ReplayState } from '../operations/operations.js';
import { fromSelectionColumns, toSelectionColumns, type SelectionColumns } from './replay-selection.js';

/** A job that is to be run. */
export interface StoredJob extends ReplayJob {
  /** Up to here, fixed when it began. */
  readonly toPosition: bigint;
}

/** Ended jobs that are kept to be looked at. */
const HISTORY = 1_000;

const COLUMNS = `id, selection, state, reason, by, per_second, selected::float8, published::float8,
          position::text, to_position::text, error, started_at, ended_at`;

/** Until the end of the transaction: who begins and who ends a job sees the others. */
const LOCK = statement('replay_job_lock', `select pg_advisory_xact_lock(hashtextextended('aura:replay', 0))`);
const INSERT = statement(
  'replay_job_insert',
  `insert into aura.replay_job
          (id, selection, state, reason, by, per_second, selected, position, to_position)
   values ($1, $2::jsonb, 'running', $3, $4, $5, $6, $7, $8)
   returning ${COLUMNS}`,
);
const FORGET = statement(
  'replay_job_forget',
  `delete from aura.replay_job
    where state <> 'running'
      and id in (select id from aura.replay_job where state <> 'running'
                  order by started_at desc, id desc offset $1)`,
);
const FIND = statement('replay_job_find', `select ${COLUMNS} from aura.replay_job where id = $1`);
const LIST = statement(
  'replay_job_list',
  `select ${COLUMNS} from aura.replay_job order by started_at desc, id desc limit $1`,
);
/** The one that runs, or is to run next. */
const FIRST = statement(
  'replay_job_first',
  `select ${COLUMNS} from aura.replay_job where state = 'running' order by started_at, id limit 1`,
);
/** Never back: an owner that was thought dead may save late. Gives the state: somebody may have ended it. */
const SAVE = statement(
  'replay_job_save',
  `update aura.replay_job
      set position = greatest(position, $2), published = greatest(published, $3), error = $4
    where id = $1
   returning state`,
);
const END = statement(
  'replay_job_end',
  `update aura.replay_job set state = $2, error = coalesce($3, error), ended_at = clock_timestamp()
    where id = $1 and state = 'running'
   returning id`,
);

export async function lockJobs(db: Queryable): Promise<void> {
  await run(db, LOCK);
}

/** The caller holds `lockJobs`. */
export async function insertJob(
  db: Queryable,
  job: Pick<StoredJob, 'id' | 'selection' | 'reason' | 'by' | 'perSecond' | 'selected' | 'position'> & {
    readonly toPosition: bigint;
  },
): Promise<StoredJob> {
  await run(db, FORGET, [HISTORY]);
  const [row] = await run<JobColumns>(db, INSERT, [
    job.id,
    JSON.stringify(toSelectionColumns(job.selection)),
    job.reason,
    job.by,
    job.perSecond ?? null,
    job.selected,
    String(job.position),
    String(job.toPosition),
  ]);
  return toJob(row as JobColumns);
}

export async function findJob(db: Queryable, id: string): Promise<StoredJob | undefined> {
  const [row] = await run<JobColumns>(db, FIND, [id]);
  return row && toJob(row);
}

export async function listJobs(db: Queryable, limit: number): Promise<StoredJob[]> {
  return (await run<JobColumns>(db, LIST, [limit])).map(toJob);
}

export async function firstJob(db: Queryable): Promise<StoredJob | undefined> {
  const [row] = await run<JobColumns>(db, FIRST);
  return row && toJob(row);
}

/** Undefined where the job is gone. */
export async function saveProgress(
  db: Queryable,
  id: string,
  progress: { readonly position: bigint; readonly published: number; readonly error: string | undefined },
): Promise<ReplayState | undefined> {
  const { position, published, error } = progress;
  const [row] = await run<{ state: ReplayState }>(db, SAVE, [id, String(position), published, error ?? null]);
  return row?.state;
}

/** False where it has ended already. */
export async function endJob(
  db: Queryable,
  id: string,
  state: Exclude<ReplayState, 'running'>,
  error?: string,
): Promise<boolean> {
  return (await run(db, END, [id, state, error ?? null])).length === 1;
}

interface JobColumns extends Record<string, unknown> {
  id: string;
  selection: SelectionColumns;
  state: ReplayState;
  reason: string;
  by: string;
  per_second: number | null;
  selected: number;
  published: number;
  position: string;
  to_position: string;
  error: string | null;
  started_at: Date;
  ended_at: Date | null;
}

function toJob(row: JobColumns): StoredJob {
  return {
    id: row.id,
    selection: fromSelectionColumns(row.selection),
    state: row.state,
    reason: row.reason,
    by: row.by,
    perSecond: row.per_second ?? undefined,
    selected: row.selected,
    published: row.published,
    position: BigInt(row.position),
    toPosition: BigInt(row.to_position),
    error: row.error ?? undefined,
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
  };
}
