import type { Batch, LogRecord, TopicPartition } from '../event-log.js';
import { partitionKey } from './fence.js';

interface Lot extends TopicPartition {
  records: readonly LogRecord[];
  /** Of the partition, when these were fetched. */
  readonly end: bigint | undefined;
  /** Called once, when nothing of the lot is left: handled, or dropped. */
  readonly done: () => void;
}

export interface IntakeLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/**
 * What was fetched and not yet handled, by partition (pure).
 *
 * - I1 a unit gets what has arrived of all partitions together, at most `maxRecords` and `maxBytes`; a larger
 *   record alone;
 * - I2 every partition that waits gets its share before any gets more, and the first in turn changes: none
 *   starves.
 */
export class Intake {
  readonly #lots = new Map<string, Lot>();

  get empty(): boolean {
    return this.#lots.size === 0;
  }

  /**
   * A partition has one lot at a time: kafkajs fetches it again only when its batch is done. An older one is
   * dropped.
   */
  add(partition: TopicPartition, records: readonly LogRecord[], done: () => void, end?: bigint): void {
    this.drop(partition);
    if (records.length === 0) done();
    else this.#lots.set(partitionKey(partition), { ...partition, records, done, end });
  }

  take({ maxRecords, maxBytes }: IntakeLimits): Batch[] {
    const lots = [...this.#lots.values()];
    const share = Math.max(1, Math.floor(maxRecords / Math.max(1, lots.length)));
    const taken = lots.map(() => 0);
    let records = 0;
    let bytes = 0;
    for (const limit of [share, maxRecords])
      for (const [i, lot] of lots.entries())
        for (let at = taken[i] ?? 0; at < limit && records < maxRecords; at++) {
          const record = lot.records[at];
          const size = record ? bytesOf(record) : 0;
          if (!record || (records > 0 && bytes + size > maxBytes)) break;
          taken[i] = at + 1;
          records += 1;
          bytes += size;
        }
    return lots.flatMap(({ topic, partition, records: all, end }, i) =>
      taken[i]
        ? [{ topic, partition, records: all.slice(0, taken[i]), ...(end === undefined ? {} : { end }) }]
        : [],
    );
  }

  /** Forgets what is below `next`. A move to before what is held drops the lot: it is fetched again. */
  advance(partition: TopicPartition, next: bigint): void {
    const key = partitionKey(partition);
    const lot = this.#lots.get(key);
    if (!lot) return;
    const first = lot.records[0]?.offset ?? next;
    if (next < first) return this.drop(partition);
    const rest = lot.records.filter((r) => r.offset >= next);
    if (rest.length === 0) return this.drop(partition);
    if (rest.length < lot.records.length) {
      lot.records = rest;
      this.#lots.delete(key); // to the end of the line: the others come first (I2)
      this.#lots.set(key, lot);
    }
  }

  drop(partition: TopicPartition): void {
    const key = partitionKey(partition);
    const lot = this.#lots.get(key);
    this.#lots.delete(key);
    lot?.done();
  }

  dropAll(): void {
    for (const lot of this.#lots.values()) this.drop(lot);
  }
}

function bytesOf({ key, value, headers }: LogRecord): number {
  let bytes = Buffer.byteLength(key) + value.length;
  for (const [name, header] of Object.entries(headers)) bytes += name.length + header.length;
  return bytes;
}
