import { DatabaseError, Pool } from 'pg';
import type { PoolClient, PoolConfig } from 'pg';
import { asError, AuraError, InvariantError, kindOf, TransientError, withClient } from '@aura/platform';
import { migrate } from './migrate.js';

export interface DatabaseOptions {
  readonly url: string;
  readonly applicationName: string;
  readonly maxConnections: number;
  readonly statementTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/** Read-only: a standby answered during a failover. Passes when the name points to the new primary. */
const READ_ONLY_TRANSACTION = '25006';

/**
 * The log's database: a small pool, migrated before the first statement, with errors by the caller's
 * decision.
 *
 * Whatever did not come from the server as an SQLSTATE (a socket, a time-out, a pool without a free
 * connection) is transient: pg gives these no code to decide by.
 */
export class Database {
  readonly #pool: Pool;
  #migrated: Promise<void> | undefined;

  constructor(private readonly options: DatabaseOptions) {
    this.#pool = new Pool({ ...this.clientConfig(), max: options.maxConnections });
    // An idle connection that the server closed: the pool has dropped it already, the next statement opens
    // another.
    this.#pool.on('error', () => undefined);
  }

  /** For connections outside the pool (LISTEN). */
  clientConfig(): PoolConfig {
    const { url, applicationName, statementTimeoutMs, connectTimeoutMs } = this.options;
    return {
      connectionString: url,
      application_name: applicationName,
      statement_timeout: statementTimeoutMs,
      // Ends a statement whose answer never comes (a half-open connection); the server's own limit is first
      // elsewhere.
      query_timeout: statementTimeoutMs + 2_000,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
    };
  }

  /** Runs `work` on one connection, in autocommit. */
  async use<T>(what: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    try {
      await this.#ready();
      return await withClient(this.#pool, work);
    } catch (error) {
      throw asLogError(what, error);
    }
  }

  /** Runs `work` in one READ COMMITTED transaction. */
  transaction<T>(what: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.use(what, (client) => inTransaction(client, work));
  }

  async end(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }

  /** A failed migration is tried again by the next caller. */
  #ready(): Promise<void> {
    this.#migrated ??= withClient(this.#pool, (client) => inTransaction(client, migrate)).catch(
      (error: unknown) => {
        this.#migrated = undefined;
        throw error;
      },
    );
    return this.#migrated;
  }
}

async function inTransaction<T>(client: PoolClient, work: (client: PoolClient) => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    // A connection that is gone has rolled back by itself; the error that matters is the first.
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

/** The error a caller of the port sees. `what` names the call. */
export function asLogError(what: string, error: unknown): Error {
  if (error instanceof AuraError) return error;
  const fromServer = error instanceof DatabaseError;
  const kind = kindOf(error);
  const reason = `${what}: ${asError(error).message}`;
  if (!fromServer || kind === 'transient' || kind === 'conflict' || error.code === READ_ONLY_TRANSACTION)
    return new TransientError(reason, { cause: error });
  return new InvariantError(reason, { cause: error });
}
