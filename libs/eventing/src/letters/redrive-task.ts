import type { LogRecord } from '@aura/event-log';
import type { Lane } from '../consumer/delivery.js';
import type { TaskHandler } from '../tasks/task.js';
import type { TaskRow } from '../tasks/task-store.js';
import type { Redrive } from './redrive.js';

/** The kind of the tasks that try a parked key again. */
export const REDRIVE_KIND = 'aura.redrive';

/** The task of a key's next attempt, in the trace of the event at its head. `id` is what its mark names. */
export function redriveTask(
  head: Lane & Partial<Pick<LogRecord, 'headers'>>,
  id: string,
  dueAt: Date,
): TaskRow {
  const { topic, key, headers = {} } = head;
  const { traceparent, tracestate } = headers;
  return {
    id,
    kind: REDRIVE_KIND,
    key: `${topic}/${key}`,
    dueAt,
    payload: JSON.stringify({ topic, key }),
    correlationId: undefined,
    causationId: undefined,
    trace: { ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) },
  };
}

/** Runs these tasks. None fails as a task: failures count at the letter (redrive.ts, R6, R8). */
export function redriveTasks(redrive: Redrive): TaskHandler<Lane> {
  return {
    kind: REDRIVE_KIND,
    maxAttempts: Number.MAX_SAFE_INTEGER,
    async run({ id, payload, attempt }, signal) {
      await redrive.run({ lane: payload, taskId: id, starts: attempt }, signal);
      return () => Promise.resolve();
    },
  };
}
