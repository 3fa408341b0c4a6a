import { Loop, type Logger } from '@aura/platform';
import { Client, type ClientConfig } from 'pg';

export interface WakeUpOptions {
  readonly connection: ClientConfig;
  readonly logger: Logger;
  /** Another replica has committed events. Must not throw. */
  readonly onWake: () => void;
}

const CHANNEL = 'aura_outbox';

/**
 * Tells the leading relay, in whichever replica it is, that events were committed.
 *
 * NOTIFY inside the writers' own transactions would serialise their commits (one lock for the cluster), so
 * it is sent after them, on a connection of its own, without waiting for the disk, and once for all commits
 * since the last one. It only shortens waits: what is lost costs one heartbeat of the relay.
 */
export class WakeUp {
  readonly #loop: Loop;
  #client: Client | undefined;
  #wanted = false;
  #sending: Promise<void> | undefined;

  constructor(private readonly options: WakeUpOptions) {
    this.#loop = new Loop({
      name: 'outbox.wake-up',
      idleMs: 60_000, // a connection that ends nudges; this only ends a wait that nobody remembers
      round: async () => {
        if (!this.#client) await this.#connect();
        return 'wait';
      },
      onError: (error, failures) =>
        options.logger.warn({ err: error, failures }, 'outbox wake-up: no connection, trying again'),
    });
  }

  start(): void {
    this.#loop.start();
  }

  /**
   * Events were committed here, and the relay of this process does not lead. Returns at once, never throws.
   */
  notify(): void {
    this.#wanted = true;
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#sending;
    const client = this.#client;
    this.#client = undefined;
    await client?.end();
  }

  async #send(): Promise<void> {
    while (this.#wanted && this.#client) {
      this.#wanted = false;
      try {
        await this.#client.query(`notify ${CHANNEL}`);
      } catch (error) {
        this.options.logger.debug({ err: error }, 'outbox wake-up: not sent; the relay reads by itself');
        return;
      }
    }
  }

  async #connect(): Promise<void> {
    const client = new Client({
      ...this.options.connection,
      application_name: 'aura wake-up',
      keepAlive: true,
    });
    const lost = (): void => {
      if (this.#client !== client) return;
      this.#client = undefined;
      this.#loop.nudge();
    };
    client.on('error', lost);
    client.on('end', lost);
    client.on('notification', () => this.options.onWake());
    try {
      await client.connect();
      await client.query('set synchronous_commit = off');
      await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      void client.end().catch(() => undefined); // it never connected, or is gone already
      throw error;
    }
    this.#client = client;
    this.options.onWake(); // for what was missed
    if (this.#wanted) this.notify();
  }
}
