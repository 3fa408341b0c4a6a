/** Where and how a server runs. */
export interface PostgresOptions {
  /** Home folder of the server; default: `.aura/postgres` of the clone. */
  readonly dir?: string;
  /** A port that it must have. Without one: the last one, or a free one, and it is remembered. */
  readonly port?: number;
  /** Whether what was committed survives a loss of power (fsync); default true. False is for tests. */
  readonly durable?: boolean;
  /** Whether it stays up after this process: then `stop()` does nothing, only `stopPostgres` ends it. */
  readonly keep?: boolean;
}

/** A running server. */
export interface PostgresServer {
  /** Url of the superuser. Secret: it carries the password. */
  readonly url: string;
  readonly port: number;
  /** Where the data really is. */
  readonly dir: string;
  /** `created`: a new one; `started`: with the data of last time; `adopted`: it was running already. */
  readonly outcome: 'created' | 'started' | 'adopted';
  /** A sentence for the person when the data is not in the home folder, and why; else null. */
  readonly notice: string | null;
  /** Stops it, unless it belongs to another living process or to `npm run infra`. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts the embedded Postgres of a home folder, or finds the one that runs there already. Repairs what a
 * kill left. Rejects with a `Problem` (a sentence for the person, with the cure) for: a port that is taken, a
 * full disk, a folder that may not be written, data of another user or version.
 */
export function startPostgres(options?: PostgresOptions): Promise<PostgresServer>;

/**
 * Stops the server of a home folder, whoever started it; false when none ran. `remove` deletes its data for
 * good.
 */
export function stopPostgres(options?: {
  readonly dir?: string;
  readonly remove?: boolean;
}): Promise<boolean>;

/** The server of a home folder as it is now; null when there has never been one. */
export function postgresStatus(options?: { readonly dir?: string }): {
  readonly dir: string;
  readonly running: boolean;
  readonly pid?: number;
  readonly port?: number;
  readonly url?: string;
} | null;

/** A server of one test run: not durable, in a temporary folder that `stop()` removes. */
export function startTestPostgres(): Promise<PostgresServer>;

/**
 * Makes sure that a service has a database, and a role that owns it and can connect to no other one. Gives
 * the url with which the service connects. The password defaults to one derived from the superuser's. Safe to
 * repeat.
 */
export function ensureDatabase(
  adminUrl: string,
  database: { readonly name: string; readonly role?: string; readonly password?: string },
): Promise<string>;

/** A failure that the person can cure; `message` says what happened and what to do. */
export class Problem extends Error {
  constructor(what: string, cure?: string, options?: { readonly cause?: unknown });
}

/** A port of 127.0.0.1 that is free now; another program may still take it before its user does. */
export function freePort(): Promise<number>;
