import { codeOf, kindOf, type Logger, TerminalError, TransientError } from '@aura/platform';
import { DataSource, type DataSourceOptions, type EntitySchema, type MixedList } from 'typeorm';
import { TypeOrmLines } from './typeorm-lines.js';

// oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type of an entity class
type EntityClass = Function;

export interface DatabaseOptions {
  /** The service: `application_name` of its connections. */
  readonly name: string;
  readonly url: string;
  /** Classes, listed: file patterns find nothing in bundles and tests. */
  readonly entities: MixedList<EntityClass | EntitySchema>;
  /** Most connections. Default 10. */
  readonly poolSize?: number;
  /** A statement that waits longer for a lock fails (ms). Default 5,000. */
  readonly lockTimeoutMs?: number;
  /** A statement that runs longer is cancelled (ms). Default 30,000. 0: never. */
  readonly statementTimeoutMs?: number;
  /** A transaction that does nothing for longer loses its connection (ms). Default 60,000. */
  readonly idleInTransactionTimeoutMs?: number;
}

/** A DataSource whose `destroy` may be called by everybody: Nest, our shutdown, a failed start. */
class ServiceDataSource extends DataSource {
  #destroyed: Promise<void> | undefined;

  override destroy(): Promise<void> {
    return (this.#destroyed ??= super.destroy());
  }
}

/** How much later than a statement's own limit its answer may come (ms). */
const ANSWER_MS = 5_000;

/** The service's connections, with a limit on everything that can wait. Not connected yet. */
export function dataSourceOf(options: DatabaseOptions, logger: Logger): DataSource {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const settings: DataSourceOptions = {
    type: 'postgres',
    url: options.url,
    entities: options.entities,
    poolSize: options.poolSize ?? 10,
    applicationName: options.name,
    connectTimeoutMS: 10_000,
    // No extension is installed: `gen_random_uuid()` is built in, and many roles may not create any.
    uuidExtension: 'pgcrypto',
    installExtensions: false,
    synchronize: false,
    logger: new TypeOrmLines(logger),
    poolErrorHandler: (error: unknown) => logger.warn({ error }, 'an idle database connection broke'),
    extra: {
      lock_timeout: options.lockTimeoutMs ?? 5_000,
      statement_timeout: statementTimeoutMs,
      // The server's own limit does not reach us where the network swallows its answer: a unit would hang,
      // its heart beating, until the kernel gives up.
      ...(statementTimeoutMs > 0 ? { query_timeout: statementTimeoutMs + ANSWER_MS } : {}),
      idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? 60_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    },
  };
  return new ServiceDataSource(settings);
}

export interface WaitOptions {
  /** Give up after this long (ms). */
  readonly waitMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Calls `connect` until it succeeds, with back-off and full jitter, as long as the failure is transient and
 * time is left. Says what it waits for. Throws `TransientError` when the time is over or the start is
 * called off, `TerminalError` where the server refuses us, the error itself where waiting can't help.
 */
export async function whenReachable<T>(
  what: string,
  connect: () => Promise<T>,
  logger: Logger,
  { waitMs, signal }: WaitOptions,
): Promise<T> {
  const end = performance.now() + waitMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect();
    } catch (error) {
      if (REFUSED_SQLSTATE.test(codeOf(error) ?? ''))
        throw new TerminalError(`${what} refuses us: check AURA_DATABASE_URL`, { cause: error });
      if (!mayPass(error)) throw error;
      const left = end - performance.now();
      if (signal?.aborted)
        throw new TransientError(`the start was called off while waiting for ${what}`, { cause: error });
      if (left <= 0)
        throw new TransientError(
          `${what} did not answer within ${waitMs} ms: is it running, is the address right?`,
          {
            cause: error,
          },
        );
      if (attempt === 1) logger.warn({ error, wait_ms: waitMs }, `waiting for ${what}`);
      await pause(Math.min(left, Math.random() * Math.min(5_000, 100 * 2 ** attempt)), signal);
    }
  }
}

/** Wrong user or password (28), no such database (3D). */
const REFUSED_SQLSTATE = /^(28|3D)...$/;

/**
 * Besides what `kindOf` knows: pg's connect time-outs and broken handshakes carry neither code nor class,
 * they are the plain `Error`s among what connecting can throw (TypeORM's own mistakes and ours are
 * subclasses).
 */
function mayPass(error: unknown): boolean {
  return (
    kindOf(error) === 'transient' || (error instanceof Error && error.constructor === Error && !codeOf(error))
  );
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
