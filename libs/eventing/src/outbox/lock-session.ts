import { run, statement, TransientError, type Queryable } from '@aura/platform';
import { Client, type ClientConfig } from 'pg';

/**
 * Advisory locks of the outbox: "aura" in ASCII, and which. Two-number locks never meet the migrations'
 * one-number lock.
 */
export const LOCK_SPACE = 0x61757261;
export const RELAY_LOCK = 1;
export const DAYS_LOCK = 2;

/** A session that says nothing for this long is ended by Postgres, and its lock with it (H23). */
const IDLE_SESSION_MS = 4_000;
const STATEMENT_MS = 10_000;

/**
 * By statement, not by connection options, which poolers drop. Sequential scans are forbidden because a
 * day's partition is read long before it has statistics; one plan for all, because planning 38 partitions
 * costs more than the read.
 */
const SETTINGS = statement(
  'relay_session_settings',
  `select set_config('idle_session_timeout', $1, false), set_config('statement_timeout', $2, false),
          set_config('tcp_user_timeout', $1, false), set_config('tcp_keepalives_idle', '2', false),
          set_config('tcp_keepalives_interval', '1', false), set_config('tcp_keepalives_count', '3', false),
          set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false),
          set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false),
          pg_backend_pid() as pid`,
);
const TRY_LOCK = statement('relay_try_lock', 'select pg_try_advisory_lock($1, $2) as locked');
const HEARTBEAT = statement('relay_heartbeat', 'select 1');
const UNLOCK = statement('relay_unlock', 'select pg_advisory_unlock($1, $2)');

/**
 * The one connection on which a relay holds its lock, reads and saves. When it is lost, so is the lock, and
 * whatever is sent on it afterwards fails: a leader that was frozen can save nothing.
 */
export class LockSession implements Queryable {
  #lost: Error | undefined;

  private constructor(
    private readonly client: Client,
    /** The backend that holds the lock. */
    readonly pid: number,
    onLost: () => void,
  ) {
    const lost = (error?: Error): void => {
      if (this.#lost) return;
      this.#lost = new TransientError('the connection that held the relay lock is lost', { cause: error });
      onLost();
    };
    client.on('error', lost);
    client.on('end', () => lost());
  }

  static async open(config: ClientConfig, onLost: () => void): Promise<LockSession> {
    const client = new Client({
      ...config,
      application_name: 'aura relay',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      query_timeout: STATEMENT_MS + 2_000, // a half-open connection never answers
    });
    client.on('error', () => undefined); // until the session listens
    try {
      await client.connect();
      const [row] = await run<{ pid: number }>(client, SETTINGS, [
        String(IDLE_SESSION_MS),
        String(STATEMENT_MS),
      ]);
      return new LockSession(client, row?.pid ?? 0, onLost);
    } catch (error) {
      void client.end().catch(() => undefined); // it never connected, or is gone already
      throw error;
    }
  }

  get lost(): boolean {
    return this.#lost !== undefined;
  }

  query: Queryable['query'] = (config) => {
    if (this.#lost) return Promise.reject(this.#lost);
    return this.client.query(config);
  };

  /**
   * Never waits for the lock in Postgres: a waiting statement would keep vacuum from all that dies after it
   * (H48).
   */
  async tryLock(): Promise<boolean> {
    const [row] = await run<{ locked: boolean }>(this, TRY_LOCK, [LOCK_SPACE, RELAY_LOCK]);
    return row?.locked === true;
  }

  /** A session that holds the lock must not fall silent. */
  async heartbeat(): Promise<void> {
    await run(this, HEARTBEAT);
  }

  /** Gives the lock back and ends the connection; never throws. */
  async close(): Promise<void> {
    try {
      if (!this.#lost) await run(this, UNLOCK, [LOCK_SPACE, RELAY_LOCK]);
    } catch {
      // The connection is gone, and the lock with it.
    }
    await this.discard();
  }

  /** Ends the connection without a word to the server, which may not answer any more; never throws. */
  async discard(): Promise<void> {
    this.#lost ??= new TransientError('the relay session is closed');
    await this.client.end().catch(() => undefined);
  }
}
