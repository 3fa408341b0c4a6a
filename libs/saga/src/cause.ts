import { newEventId } from '@aura/contracts';
import type { Cause } from '@aura/eventing';
import type { Clock } from '@aura/platform';

/**
 * Why a coordinator or a participant acts by itself, or for somebody of its own service. Not a request: what
 * running sagas need is never refused for want of room in the outbox.
 */
export function taskCause(clock: Clock): Cause {
  const taskId = newEventId(clock.now());
  return { kind: 'task', taskId, correlationId: undefined, causationId: undefined, trace: {} };
}
