/** The events of two small services that exist for the crash tests: orders asks, stock answers. */
import { defineEvent, type EventType } from '@aura/contracts';

/** What every event here carries: which order caused it. */
export interface OfOrder {
  readonly id: string;
  readonly key: string;
  /** Counts the orders of one key from 1, without gaps. */
  readonly n: number;
}

export const OrderPlaced = ofOrder('orders', 'OrderPlaced');
export const StockTaken = ofOrder('stock', 'StockTaken');
/** Raised by the task that some orders need: see `isPacked`. */
export const ParcelPacked = ofOrder('stock', 'ParcelPacked');

/** Every fourth order of a key is packed, later, by a durable task. */
export const isPacked = ({ n }: { readonly n: number }): boolean => n % 4 === 0;

function ofOrder(service: string, name: string): EventType<OfOrder> {
  return defineEvent<OfOrder>({
    service,
    version: 1,
    keyField: 'key',
    schema: {
      type: 'record',
      name,
      namespace: `crash_test.${service}`,
      fields: [
        { name: 'id', type: { type: 'string', logicalType: 'uuid' } },
        { name: 'key', type: 'string' },
        { name: 'n', type: 'int' },
      ],
    },
  });
}
