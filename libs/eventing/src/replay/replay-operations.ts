import { newEventId } from '@aura/contracts';
import { partitionOf, type EventLog } from '@aura/event-log';
import { ConflictError, run, statement, TerminalError, type Queryable } from '@aura/platform';
import type { Pool } from 'pg';
import { inUnit } from '../consumer/unit.js';
import { noteOperation } from '../operations/audit.js';
import type {
  Change,
  ReplayCount,
  ReplayJob,
  ReplayOperations,
  ReplaySelection,
} from '../operations/operations.js';
import { insertTasks } from '../tasks/task-store.js';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import {
  countRows,
  extentOf,
  NOTHING,
  settledTo,
  sumOf,
  withOutboxReader,
  type RowCount,
} from './replay-rows.js';
import { BadSelectionError, checkSelection, toSelectionColumns } from './replay-selection.js';
import { endJob, findJob, firstJob, insertJob, listJobs, lockJobs } from './replay-store.js';
import { replayTask } from './replay-task.js';

/** Positions that one statement counts; fewer where every key has to be looked at. */
const COUNT_WINDOW = 500_000n;
const COUNT_KEYS_WINDOW = 50_000n;
/** A greater number than any position. */
const NO_END = 2n ** 63n - 1n;

const TYPE_KNOWN = statement(
  'replay_type_known',
  `select exists (select from aura.schema where right(subject, length($1) + 1) = '-' || $1) as known`,
);
const DROPPED_TO = statement(
  'replay_dropped_to',
  'select coalesce(max(last_position), 0)::text as position from aura.outbox_dropped_day',
);

export interface OutboxReplayOptions {
  readonly pool: Pool;
  readonly units: UnitOfWorkContext;
  readonly log: EventLog;
}

/**
 * Replays the outbox of one service to its topic: published rows once more, with the ids that they had.
 *
 * Guarantees: in position order; every selected row at least once, whatever crashes; each record carries
 * `replayid`; readers that applied an event drop it. Limits: one job at a time; a reader that lost an older
 * event applies it after newer ones of its key; what a reader can no longer judge (older than its inbox
 * remembers) it parks, and how much that will be is not known here. Counting reads the selection once.
 * Errors: `BadSelectionError` names the field.
 */
export class OutboxReplay implements ReplayOperations {
  constructor(private readonly options: OutboxReplayOptions) {}

  async count(selection: ReplaySelection): Promise<ReplayCount> {
    const { pool } = this.options;
    const wanted = await this.#check(selection);
    const { first, last } = await extentOf(pool);
    const end = smaller(selection.toPosition ?? NO_END, last);
    const step = wanted ? COUNT_KEYS_WINDOW : COUNT_WINDOW;
    return withOutboxReader(pool, async (db) => {
      let total: RowCount = NOTHING;
      for (let after = greater(selection.fromPosition ?? 0n, first) - 1n; after < end; after += step) {
        const window = { after, through: smaller(after + step, end) };
        total = sumOf(total, await countRows(db, selection, window, wanted));
      }
      return total;
    });
  }

  async start(selection: ReplaySelection, perSecond: number | undefined, change: Change): Promise<ReplayJob> {
    const { pool, units } = this.options;
    if (perSecond !== undefined && !(Number.isInteger(perSecond) && perSecond > 0 && perSecond < 2 ** 31))
      throw new BadSelectionError(`perSecond ${perSecond} is no whole number above 0`);
    const { records: selected } = await this.count(selection);
    const settled = await settledTo(pool);
    const { first } = await extentOf(pool);
    const position = greater(selection.fromPosition ?? 0n, first) - 1n;
    const toPosition = smaller(selection.toPosition ?? NO_END, settled);
    const { reason, by } = change;
    const job = await inUnit(units, async (unit) => {
      const { client } = unit;
      await lockJobs(client);
      const busy = await firstJob(client);
      const id = newEventId(unit.now);
      const wanted = { id, selection, reason, by, perSecond, selected, position, toPosition };
      const made = await insertJob(client, wanted);
      if (!busy) await insertTasks(client, [replayTask(id, unit.now)]);
      const subject = { id, selection: toSelectionColumns(selection), perSecond, selected };
      await noteOperation(client, 'replay outbox', subject, change);
      if (!change.dryRun) await unit.commit(`the start of replay ${id}`);
      return made;
    });
    if (!change.dryRun) units.onCommitted({ events: 0, tasks: 1 });
    return job;
  }

  list(limit: number): Promise<readonly ReplayJob[]> {
    return listJobs(this.options.pool, limit);
  }

  find(id: string): Promise<ReplayJob | undefined> {
    return findJob(this.options.pool, id);
  }

  /** Its task sees it at its next save; a job that waits never begins. What was published stays. */
  async cancel(id: string, change: Change): Promise<void> {
    await inUnit(this.options.units, async (unit) => {
      const { client } = unit;
      await lockJobs(client);
      const job = await findJob(client, id);
      if (!job) throw new TerminalError(`there is no replay ${id}: list them with replay list`);
      if (!(await endJob(client, id, 'cancelled')))
        throw new ConflictError(`replay ${id} has ended already: it is ${job.state}`);
      await noteOperation(client, 'replay cancel', { id, published: job.published }, change);
      if (!change.dryRun) await unit.commit(`the cancelling of replay ${id}`);
    });
  }

  /** Which keys are selected; undefined: all. */
  async #check(selection: ReplaySelection): Promise<((key: string) => boolean) | undefined> {
    const { pool, log } = this.options;
    checkSelection(selection);
    const { type, topic, partitions, fromPosition } = selection;
    if (type !== undefined && !(await isKnownType(pool, type)))
      throw new BadSelectionError(`type ${type} is none that this service ever raised`);
    const droppedTo = await droppedPosition(pool);
    if (fromPosition !== undefined && fromPosition <= droppedTo)
      throw new BadSelectionError(
        `fromPosition ${fromPosition} was dropped by retention: the outbox reaches back to ${droppedTo + 1n}`,
      );
    if (topic === undefined) return undefined;
    const [described] = await log.describe([topic]);
    if (!described)
      throw new BadSelectionError(
        `topic ${topic} is not there: make it first (\`npm run aura -- topics apply\`)`,
      );
    if (!partitions) return undefined;
    const missing = partitions.filter((partition) => partition >= described.partitions);
    if (missing.length > 0)
      throw new BadSelectionError(
        `partitions: ${topic} has ${described.partitions}, not ${missing.join(', ')}`,
      );
    const chosen = new Set(partitions);
    return (key) => chosen.has(partitionOf(key, described.partitions));
  }
}

async function isKnownType(db: Queryable, type: string): Promise<boolean> {
  const [row] = await run<{ known: boolean }>(db, TYPE_KNOWN, [type]);
  return row?.known === true;
}

async function droppedPosition(db: Queryable): Promise<bigint> {
  const [row] = await run<{ position: string }>(db, DROPPED_TO);
  return BigInt(row?.position ?? 0);
}

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const greater = (a: bigint, b: bigint): bigint => (a > b ? a : b);
