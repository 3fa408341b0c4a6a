import type { LogRecord } from '@aura/event-log';
import type { Lane } from '../consumer/delivery.js';
import type { TaskRow } from '../tasks/task-store.js';

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
