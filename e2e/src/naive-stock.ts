import { parseEventHeaders } from '@aura/contracts';
import type { Batch, Position } from '@aura/event-log';
import { OrderPlaced, type OfOrder } from './events.js';
import type { Service } from './service.js';
import type { ServiceSettings } from './settings.js';
import { openStock, take } from './stock.js';

/**
 * The stock as it is usually written: no inbox, and offsets in a transaction of their own after the
 * effects. The same test must find it wrong, otherwise the test finds nothing.
 */
export async function startNaiveStock(settings: ServiceSettings): Promise<Service> {
  const service = await openStock(settings);
  const { log, logger, pool } = service;
  const onError = (error: Error): void => logger.warn({ err: error }, 'naive stock');
  await log.subscribe({
    group: 'naive-stock',
    topics: [OrderPlaced.topic],
    sessionTimeoutMs: 2_000,
    onAssigned: async (partitions) => {
      const { rows } = await pool.query<{ topic: string; partition: number; next_offset: string }>(
        'select topic, partition, next_offset from naive_offset',
      );
      return partitions.map(({ topic, partition }) => {
        const saved = rows.find((row) => row.topic === topic && row.partition === partition);
        return { topic, partition, offset: BigInt(saved?.next_offset ?? 0) };
      });
    },
    onRevoked: async () => undefined,
    onBatches: async (batches) => {
      const positions = [];
      for (const batch of batches) positions.push(await apply(service, batch));
      return positions;
    },
    onPartitionError: (_partition, error) => onError(error),
    onError,
  });
  return service;
}

async function apply({ eventing, contracts, registry, pool }: Service, batch: Batch): Promise<Position> {
  const { topic, partition, records } = batch;
  for (const { headers, value } of records) {
    const order = (await contracts.decode(
      OrderPlaced,
      value,
      registry,
      parseEventHeaders(headers).fingerprint,
    )) as OfOrder;
    await eventing.units.run((work) => take(order, work));
  }
  const offset = (records.at(-1)?.offset ?? 0n) + 1n;
  await pool.query(
    `insert into naive_offset values ($1, $2, $3)
       on conflict (topic, partition) do update set next_offset = excluded.next_offset`,
    [topic, partition, offset.toString()],
  );
  return { topic, partition, offset };
}
