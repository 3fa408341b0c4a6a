import { randomUUID } from 'node:crypto';
import { partitionOf, type EventLog, type NewRecord } from '@aura/event-log';
import { settled } from '@aura/testing';

const PARTITIONS = 6;
/** Two for each partition, so that every append goes to every broker. */
const KEYS = Array.from({ length: PARTITIONS }, (_, partition) =>
  Array.from({ length: 200 }, (_all, i) => `key-${i}`)
    .filter((key) => partitionOf(key, PARTITIONS) === partition)
    .slice(0, 2),
).flat();
/** Between two appends (ms): a broker that dies meets one under way, and a busy machine carries on. */
const PAUSE_MS = 4;

/**
 * Appends to all partitions of a topic of its own without end, and remembers what was acknowledged: all of
 * that must be in the log, whatever happens to its brokers (H30). What failed is given up.
 */
export class Appender {
  readonly topic = `acknowledged-${randomUUID()}`;
  readonly #acknowledged: string[] = [];
  #failed = 0;
  #sent = 0;
  #stopping = false;
  #running: Promise<void> | undefined;

  constructor(private readonly log: EventLog) {}

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  get failed(): number {
    return this.#failed;
  }

  async start(): Promise<void> {
    await this.log.createTopics([{ name: this.topic, partitions: PARTITIONS }]);
    this.#running = this.#run();
  }

  /** Resolves when so many more records have been acknowledged. */
  async progress(records: number): Promise<void> {
    const wanted = this.acknowledged + records;
    await settled(`${records} more acknowledged`, () => this.acknowledged >= wanted, {
      withinMs: 120_000,
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  /** What was acknowledged and is not in the log. */
  async lost(): Promise<string[]> {
    const kept = new Set<string>();
    for (const { partition, first, end } of await this.log.bounds(this.topic))
      for await (const { value } of this.log.scan(this.topic, partition, first, end))
        kept.add(value.toString());
    return this.#acknowledged.filter((value) => !kept.has(value));
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const records = KEYS.map((key) => this.#record(key));
      const { acknowledged } = await this.log.append(records).catch(() => ({ acknowledged: [] }));
      const taken = acknowledged.flatMap(({ indexes }) =>
        indexes.map((index) => String(records[index]?.value)),
      );
      this.#acknowledged.push(...taken);
      this.#failed += records.length - taken.length;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  #record(key: string): NewRecord {
    return { topic: this.topic, key, value: Buffer.from(String(this.#sent++)), headers: {} };
  }
}
