/**
 * Records that can't be handled and must not be parked, because their handlers find what they said in another
 * way: a decision that nobody may wait behind (H20).
 *
 * S1 a record is spared when all of its handlers can do without it (`refused`, or `failed` where it could be
 *    read); it becomes no letter, its key is not parked, and what comes after it goes on;
 * S2 each of them is told in the unit that passes the record, after all that it handles: what it
 *    writes is committed with the inbox row and the offset, or the record comes again.
 */
import { HEADER } from '@aura/contracts';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import type { Cause } from '../unit-of-work/work.js';
import { isRefused, type Delivery, type RefusedDelivery } from './delivery.js';
import type { EventHandler, Handlers } from './handlers.js';

/** S1. */
export function isSpared({ record, event }: RefusedDelivery, handlers: Handlers): boolean {
  const takers = handlers.of(record.headers[HEADER.type] ?? '', record.topic);
  const spares = (taker: EventHandler): boolean =>
    taker.refused !== undefined || (taker.failed !== undefined && event !== undefined);
  return takers.length > 0 && takers.every(spares);
}

/** Those of `deliveries` that are refused and spared, and the others; both in their order. */
export function putSpared(
  deliveries: readonly Delivery[],
  handlers: Handlers,
): { readonly spared: readonly RefusedDelivery[]; readonly others: readonly Delivery[] } {
  const spared: RefusedDelivery[] = [];
  const others: Delivery[] = [];
  for (const delivery of deliveries)
    if (isRefused(delivery) && isSpared(delivery, handlers)) spared.push(delivery);
    else others.push(delivery);
  return { spared, others };
}

/** S2. */
export async function tellSpared(
  unit: UnitOfWork,
  spared: readonly RefusedDelivery[],
  handlers: Handlers,
  group: string,
): Promise<void> {
  for (const { record, id, refusal, event } of spared) {
    const { topic, key } = record;
    const type = record.headers[HEADER.type] ?? '';
    const cause: Cause = event
      ? { kind: 'event', event, group }
      : { kind: 'task', taskId: id, correlationId: undefined, causationId: id, trace: {} };
    for (const handler of handlers.of(type, topic)) {
      if (event && handler.failed) await handler.failed(event, refusal, unit.work(cause));
      else await handler.refused?.({ topic, key, type, id }, refusal, unit.work(cause));
      await unit.assertHealthy(handler.name);
    }
  }
}
