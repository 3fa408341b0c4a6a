import { Socket } from 'node:net';
import { Loop, type Logger } from '@aura/platform';
import { Client, type ClientConfig } from 'pg';

export interface WakeUpOptions {
  readonly connection: ClientConfig;
  readonly logger: Logger;
  /** Another replica has committed events. Must not throw. */
  readonly onWake: () => void;
}

const CHANNEL = 'aura_outbox';
/** Of connecting, and of a statement's answer: a half-open connection gives none. */
const ANSWER_MS = 5_000;
/** Of the server's good-bye, when the connection is ended. */
const GOODBYE_MS = 1_000;

/** A connection, and the socket under it: closed by hand where the server does not close it. */
interface Line {
  readonly client: Client;
  readonly socket: Socket;
}

/**
 * Tells the leading relay, in whichever replica it is, that events were committed.
 *
 * NOTIFY inside the writers' own transactions would serialise their commits (one lock for the cluster), so
 * it is sent after them, on a connection of its own, without waiting for the disk, and once for all commits
 * since the last one. It only shortens waits: what is lost costs one heartbeat of the relay. Nothing here
 * waits for a server that is silent: not even `stop`, which takes a few seconds then.
 */
export class WakeUp {
  readonly #loop: Loop;
  #line: Line | undefined;
  #wanted = false;
  #sending: Promise<void> | undefined;

  constructor(private readonly options: WakeUpOptions) {
    this.#loop = new Loop({
      name: 'outbox.wake-up',
      idleMs: 60_000, // a connection that ends nudges; this only ends a wait that nobody remembers
      round: async () => {
        if (!this.#line) await this.#connect();
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
    const line = this.#line;
    this.#line = undefined;
    if (line) await hangUp(line);
  }

  async #send(): Promise<void> {
    while (this.#wanted && this.#line) {
      const line = this.#line;
      this.#wanted = false;
      try {
        await line.client.query(`notify ${CHANNEL}`);
      } catch (error) {
        this.options.logger.debug({ err: error }, 'outbox wake-up: not sent; the relay reads by itself');
        void hangUp(line); // its end makes a new one due
        return;
      }
    }
  }

  async #connect(): Promise<void> {
    const socket = new Socket();
    const client = new Client({
      ...this.options.connection,
      application_name: 'aura wake-up',
      keepAlive: true,
      connectionTimeoutMillis: ANSWER_MS,
      query_timeout: ANSWER_MS,
      stream: () => socket,
    });
    const line = { client, socket };
    const lost = (): void => {
      if (this.#line !== line) return;
      this.#line = undefined;
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
      void hangUp(line);
      throw error;
    }
    this.#line = line;
    this.options.onWake(); // for what was missed
    if (this.#wanted) this.notify();
  }
}

/** Ends a connection, whether or not the server answers. Never throws. */
async function hangUp({ client, socket }: Line): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), GOODBYE_MS);
  await client.end().catch(() => undefined); // it never connected, or is gone already
  clearTimeout(timer);
}
