import type { EventEnvelope } from '@aura/contracts';
import { InvariantError } from '@aura/platform';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { workWith, type Work } from '../unit-of-work/work.js';

/**
 * The `work` of a set handler: the same transaction, but each raised event and task must name which event
 * of the set caused it. Without this their ids would depend on what happened to share the unit, and differ
 * when it runs again (H40).
 */
export function setWork(unit: UnitOfWork, first: EventEnvelope, group: string, handler: string): Work {
  return withCauses(unit.work({ kind: 'event', event: first, group }), handler);
}

function withCauses(work: Work, handler: string): Work {
  const demand = (cause: EventEnvelope | undefined, what: string): void => {
    if (cause) return;
    throw new InvariantError(
      `set handler ${handler} ${what} without naming the event that caused it: give { cause }`,
    );
  };
  return workWith(work, (inner) => ({
    raise(event, options) {
      demand(options?.cause, `raised ${event.type.name}`);
      return inner.raise(event, options);
    },
    schedule(task) {
      demand(task.cause, `scheduled ${task.kind}`);
      return inner.schedule(task);
    },
  }));
}
