/**
 * One event of a participant answers for many sagas. Where it can't be handled, each of its answers becomes a
 * task of its own, tried again for ever: only the saga that can't be stepped waits (C4 of coordinator.ts).
 */
import type { EventEnvelope } from '@aura/contracts';
import type { TaskHandler, Work } from '@aura/eventing';
import { saidIn, type Said } from './hearing.js';

const KIND = 'aura.saga-answer';

/** As it was said: who may say it is checked when it is taken, as ever. */
type SetAside = Omit<Said, 'cause'>;

/** `HandlerBase.failed` of whoever takes answers. */
export async function setAside(event: EventEnvelope, _: unknown, work: Work): Promise<void> {
  for (const { cause: __, ...answer } of saidIn(event))
    work.schedule({ kind: KIND, key: answer.sagaId, payload: answer satisfies SetAside });
}

/** Takes them, one by one. */
export function setAsideTask(take: (said: Said, work: Work) => Promise<void>): TaskHandler<SetAside> {
  return {
    kind: KIND,
    maxAttempts: Infinity,
    run: (task) => Promise.resolve((work) => take(task.payload, work)),
  };
}
