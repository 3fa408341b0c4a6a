/**
 * Records that can't be handled and must not be parked, because their handlers find what they said in another
 * way: a decision that nobody may wait behind (H20).
 *
 * S1 a record is spared when all of its handlers can do without it (`refused`); it becomes no letter, its key
 *    is not parked, and what comes after it goes on;
 * S2 each of them is told in the unit that passes the record, after all that it handles: what it
 *    writes is committed with the inbox row and the offset, or the record comes again.
 */
import { HEADER } from '@aura/contracts';
import type { LogRecord } from '@aura/event-log';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { isRefused, type Delivery, type RefusedDelivery } from './delivery.js';
import type { Handlers } from './handlers.js';

/** S1. */
export function isSpared(record: LogRecord, handlers: Handlers): boolean {
  const takers = handlers.of(record.headers[HEADER.type] ?? '', record.topic);
  return takers.length > 0 && takers.every((taker) => taker.refused !== undefined);
}

/** Those of `deliveries` that are refused and spared, and the others; both in their order. */
export function putSpared(
  deliveries: readonly Delivery[],
  handlers: Handlers,
): { readonly spared: readonly RefusedDelivery[]; readonly others: readonly Delivery[] } {
  const spared: RefusedDelivery[] = [];
  const others: Delivery[] = [];
  for (const delivery of deliveries)
    if (isRefused(delivery) && isSpared(delivery.record, handlers)) spared.push(delivery);
    else others.push(delivery);
  return { spared, others };
}

/** S2. */
export async function tellSpared(
  unit: UnitOfWork,
  spared: readonly RefusedDelivery[],
  handlers: Handlers,
): Promise<void> {
  for (const { record, id, refusal } of spared) {
    const { topic, key } = record;
    const type = record.headers[HEADER.type] ?? '';
    const cause = { kind: 'task', taskId: id, correlationId: undefined, causationId: id, trace: {} } as const;
    for (const handler of handlers.of(type, topic)) {
      await handler.refused?.({ topic, key, type, id }, refusal, unit.work(cause));
      await unit.assertHealthy(handler.name);
    }
  }
}
