import type { SchemaRegistry } from '@aura/contracts';
import type { EventLog } from '@aura/event-log';
import { TerminalError, type Logger } from '@aura/platform';
import { metrics } from '@opentelemetry/api';
import type { Pool } from 'pg';
import { inUnit } from '../consumer/unit.js';
import { Publisher } from '../outbox/publishing.js';
import type { TaskHandler } from '../tasks/task.js';
import { insertTasks, type TaskRow } from '../tasks/task-store.js';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { REPLAY_LIMITS, ReplayRun, type ReplayLimits, type ReplayRunOptions } from './replay-run.js';
import { endJob, findJob, firstJob, lockJobs, type StoredJob } from './replay-store.js';

/** The kind of the task that runs a replay. One at a time: its end begins the next job. */
export const REPLAY_KIND = 'aura.replay';

/** The task has its job's id: a job has one, however often it is asked for. */
export function replayTask(id: string, dueAt: Date): TaskRow {
  return {
    id,
    kind: REPLAY_KIND,
    key: id,
    dueAt,
    payload: JSON.stringify({ id }),
    correlationId: undefined,
    causationId: undefined,
    trace: {},
  };
}

export interface ReplayTaskOptions {
  readonly pool: Pool;
  readonly units: UnitOfWorkContext;
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
  /** `ce_source`: the service. */
  readonly source: string;
  readonly logger: Logger;
  readonly limits?: Partial<ReplayLimits>;
}

const nowMs = (): number => performance.now();

type RunContext = ReplayRunOptions & Pick<ReplayTaskOptions, 'units'>;

/**
 * Runs jobs. None ever fails as a task: what can't be published ends its job, anything else is tried again
 * by whoever claims the task next.
 */
export function replayTasks(options: ReplayTaskOptions): TaskHandler<{ readonly id: string }> {
  const { pool, units, log, registry, source, logger, limits } = options;
  const published = metrics.getMeter('@aura/eventing').createCounter('aura.replay.published', {
    description: 'Records that a replay has published again',
  });
  const context: RunContext = {
    pool,
    units,
    log,
    logger,
    nowMs,
    publisher: new Publisher({ log, registry, db: pool, source, nowMs }),
    limits: { ...REPLAY_LIMITS, ...limits },
    onPublished: (count) => published.add(count, { service: source }),
  };
  return {
    kind: REPLAY_KIND,
    concurrency: 1,
    maxAttempts: Number.MAX_SAFE_INTEGER,
    async run({ payload: { id } }, signal) {
      const job = await findJob(pool, id);
      const failure = job?.state === 'running' ? await runJob(context, job, signal) : undefined;
      await endAndGoOn(context, id, failure);
      return () => Promise.resolve();
    },
  };
}

/** Gives why the job failed. */
async function runJob(
  options: RunContext,
  job: StoredJob,
  signal: AbortSignal,
): Promise<TerminalError | undefined> {
  try {
    const outcome = await new ReplayRun(job, options).run(signal);
    options.logger.info({ replayId: job.id, outcome }, 'replay: has ended');
    return undefined;
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    options.logger.error({ err: error, replayId: job.id }, 'replay: has failed');
    return error;
  }
}

/** In one transaction with the end, so that no job waits for one that is over. */
async function endAndGoOn({ units }: RunContext, id: string, failure?: Error): Promise<void> {
  const next = await inUnit(units, async (unit) => {
    const { client } = unit;
    await lockJobs(client);
    await endJob(client, id, failure ? 'failed' : 'done', failure?.message);
    const first = await firstJob(client);
    if (first) await insertTasks(client, [replayTask(first.id, unit.now)]);
    await unit.commit(`the end of replay ${id}`);
    return first;
  });
  if (next) units.onCommitted({ events: 0, tasks: 1 });
}
