import { Client } from 'pg';
import { Loop } from '@aura/platform';
import type { Database } from './database.js';

/** Something was appended; the payload names the topics. */
export const RECORDS_CHANNEL = 'aura_log_records';
/**
 * Members or assignments of a group changed; the payload is the group, or empty for all (a topic was
 * created).
 */
export const GROUPS_CHANNEL = 'aura_log_groups';

/** NOTIFY takes payloads below 8,000 bytes. */
const MAX_PAYLOAD_BYTES = 7_900;

/** Names of topics as one payload; too many become '', which means all. */
export function topicsPayload(topics: ReadonlySet<string>): string {
  const payload = [...topics].join(' ');
  return payload.length > MAX_PAYLOAD_BYTES ? '' : payload;
}

export interface Sleeper {
  readonly group: string;
  readonly topics: ReadonlySet<string>;
  onRecords(): void;
  onGroupChange(): void;
}

/**
 * One connection that LISTENs for all subscriptions of a log, and connects again by itself (L6).
 *
 * It only shortens waits: a notification that is lost (connection away, server restarted) costs a reader one
 * poll. After every new connection all sleepers are woken, for what they may have missed. Opened with the
 * first sleeper.
 */
export class WakeUp {
  readonly #sleepers = new Set<Sleeper>();
  readonly #loop: Loop;
  #client: Client | undefined;
  #closed = false;

  constructor(
    private readonly database: Database,
    onError: (error: unknown) => void,
  ) {
    this.#loop = new Loop({
      name: 'event-log.wake-up',
      idleMs: 60_000, // a connection that ends nudges; this only ends a wait that nobody remembers
      onError,
      round: async () => {
        if (!this.#client && !this.#closed) await this.#connect();
        return 'wait';
      },
    });
  }

  /** False while notifications can't arrive: readers poll faster. */
  get listening(): boolean {
    return this.#client !== undefined;
  }

  add(sleeper: Sleeper): void {
    this.#sleepers.add(sleeper);
    this.#loop.start();
  }

  remove(sleeper: Sleeper): void {
    this.#sleepers.delete(sleeper);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#loop.stop();
    const client = this.#client;
    this.#client = undefined;
    await client?.end();
  }

  async #connect(): Promise<void> {
    const client = new Client(this.database.clientConfig());
    const lost = (): void => {
      if (this.#client !== client) return;
      this.#client = undefined;
      this.#loop.nudge();
    };
    client.on('error', lost);
    client.on('end', lost);
    client.on('notification', ({ channel, payload }) => this.#wake(channel, payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${RECORDS_CHANNEL}`);
      await client.query(`listen ${GROUPS_CHANNEL}`);
    } catch (error) {
      void client.end().catch(() => undefined); // it never connected, or is gone already
      throw error;
    }
    this.#client = client;
    for (const sleeper of this.#sleepers) {
      sleeper.onRecords();
      sleeper.onGroupChange();
    }
  }

  #wake(channel: string, payload: string): void {
    if (channel === GROUPS_CHANNEL) {
      for (const sleeper of this.#sleepers)
        if (payload === '' || payload === sleeper.group) sleeper.onGroupChange();
      return;
    }
    const topics = payload.split(' ');
    for (const sleeper of this.#sleepers)
      if (payload === '' || topics.some((topic) => sleeper.topics.has(topic))) sleeper.onRecords();
  }
}
