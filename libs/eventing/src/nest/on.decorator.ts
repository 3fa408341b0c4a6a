import type { EventEnvelope, EventType } from '@aura/contracts';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { RowLocks } from '../consumer/handlers.js';
import type { Work } from '../unit-of-work/work.js';
import { AURA_TRANSPORT, type OnExtras } from './transport-strategy.js';

/** A method that takes one event, and the transaction that it belongs to. */
export type OnMethod<P extends object> = (event: EventEnvelope<P>, work: Work) => Promise<void>;

/** A method that takes a run of events of one type, for set-based SQL. */
export type OnSetMethod<P extends object> = (
  events: readonly EventEnvelope<P>[],
  work: Work,
) => Promise<void>;

type MethodDecoratorOf<M> = (target: object, method: string, descriptor: TypedPropertyDescriptor<M>) => void;

/**
 * Subscribes a method of a Nest controller to an event: `@On(PhotoReceived) async received(event, work) { …
 * }`.
 *
 * The method runs inside a unit of work: its rows, its raised events, the inbox row and the offset are
 * committed together. It may run again after a failure, never after it has taken effect. Guards, pipes,
 * interceptors and filters of Nest apply; a pipe gets the whole envelope. Errors arrive whole at the
 * consumer (H43).
 */
export function On<P extends object, In extends object>(
  type: EventType<P, In>,
  options: { locks?: RowLocks } = {},
): MethodDecoratorOf<OnMethod<P>> {
  return (target, method, descriptor) =>
    subscribe(target, method, descriptor, { type, mode: 'each', ...options });
}

/** As `On`, for a method that takes many events at once; it names the cause of what it raises. */
export function OnSet<P extends object, In extends object>(
  type: EventType<P, In>,
  options: { locks?: RowLocks } = {},
): MethodDecoratorOf<OnSetMethod<P>> {
  return (target, method, descriptor) =>
    subscribe(target, method, descriptor, { type, mode: 'set', ...options });
}

function subscribe<M>(
  target: object,
  method: string,
  descriptor: TypedPropertyDescriptor<M>,
  options: { type: EventType; mode: 'each' | 'set'; locks?: RowLocks },
): void {
  const extras: OnExtras = {
    ...options,
    type: options.type,
    name: `${target.constructor.name}.${method}`,
  };
  // Without these Nest would pass the payload only, and the method would have no unit of work.
  Payload()(target, method, 0);
  Ctx()(target, method, 1);
  EventPattern(extras.type.name, AURA_TRANSPORT, { aura: extras })(
    target,
    method,
    descriptor as PropertyDescriptor,
  );
}
