import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { EventLog, LogRecord, NewRecord, Subscription } from '../../src/index.js';
import { type ChildMember, childMember } from './child.js';
import type { Harness } from './harness.js';
import { Reader, type ReaderSettings } from './reader.js';

/** What each test of the suite works with. Everything it opens is closed after the test. */
export class Suite {
  #harness: Harness | undefined;
  #cleanup: (() => Promise<unknown>)[] = [];

  constructor(prepare: () => Promise<Harness>) {
    beforeAll(async () => {
      this.#harness = await prepare();
    });
    afterEach(async () => {
      for (const clean of this.#cleanup.splice(0).toReversed()) await clean();
    });
    afterAll(() => this.#harness?.close());
  }

  get harness(): Harness {
    if (!this.#harness) throw new Error('the harness is there once the tests run');
    return this.#harness;
  }

  later(clean: () => Promise<unknown>): void {
    this.#cleanup.push(clean);
  }

  open(): EventLog {
    const log = this.harness.open();
    this.later(() => log.close());
    return log;
  }

  /** A topic of one test's own. */
  async topic(log: EventLog, partitions = 4): Promise<string> {
    const name = `conformance.${randomUUID()}`;
    await log.createTopics([{ name, partitions }]);
    return name;
  }

  async member(
    log: EventLog,
    settings: ReaderSettings,
  ): Promise<{ reader: Reader; subscription: Subscription }> {
    const reader = new Reader({ sessionTimeoutMs: this.harness.sessionTimeoutMs, ...settings });
    const subscription = await reader.subscribe(log);
    this.later(() => subscription.stop());
    return { reader, subscription };
  }

  async child(settings: ReaderSettings): Promise<{ reader: Reader; process: ChildMember }> {
    const reader = new Reader({ sessionTimeoutMs: this.harness.sessionTimeoutMs, ...settings });
    const process = await childMember(this.harness, reader);
    this.later(() => process.kill());
    return { reader, process };
  }
}

export const groupName = (): string => `group-${randomUUID()}`;

export function record(topic: string, key: string, value: string | Buffer, headers = {}): NewRecord {
  return { topic, key, value: Buffer.from(value), headers };
}

/** `count` records over `keys` keys; the value is the record's number among all. */
export function numbered(topic: string, count: number, keys = 16, from = 0): NewRecord[] {
  return Array.from({ length: count }, (_, i) => record(topic, `key-${(from + i) % keys}`, String(from + i)));
}

/** Everything that a topic keeps, by partition. */
export async function contents(log: EventLog, topic: string): Promise<Map<number, LogRecord[]>> {
  const all = new Map<number, LogRecord[]>();
  for (const { partition, first, end } of await log.bounds(topic)) {
    const records: LogRecord[] = [];
    for await (const found of log.scan(topic, partition, first, end)) records.push(found);
    all.set(partition, records);
  }
  return all;
}
