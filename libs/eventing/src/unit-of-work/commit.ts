/**
 * U1 a COMMIT counts only if Postgres answered `COMMIT` (H1, H42): after a swallowed SQL error it answers
 *    `ROLLBACK`, without an error, and TypeORM's own `transaction()` resolves;
 * U2 a transaction that is in the failed state is found before COMMIT, without a round trip, so that who
 *    swallowed the error is named;
 * U7 COMMIT is sent behind the last statements without waiting for their answers: one that fails in Postgres
 *    turns it into a ROLLBACK. One that could not be sent at all would not: while the socket is corked
 *    nothing can be answered, so whatever has failed by the next turn was not sent, and then COMMIT is not.
 */
import { TransientError } from '@aura/platform';
import type { Writable } from 'node:stream';
import type { PoolClient } from 'pg';

/** A handler caught an SQL error and went on: its transaction can't commit, whatever it does. */
export class SwallowedSqlError extends Error {
  override readonly name = 'SwallowedSqlError';
  constructor(readonly who: string) {
    super(
      `${who} caught an SQL error and went on: Postgres will roll this transaction back. ` +
        'Let the error out, or run the statement that may fail inside work.savepoint(...)',
    );
  }
}

/**
 * The connection broke while COMMIT was under way: it may have happened or not. The caller must look, or
 * repeat safely.
 */
export class UnknownOutcomeError extends TransientError {}

/**
 * U2. Rejects with `SwallowedSqlError` when the transaction of `client` is in the failed state. No round
 * trip: the state comes with the end of the last answer. A query's rejection comes a moment before that
 * end, so it is waited for: a handler that swallows its last error must not pass for sound, and the next
 * one must not be blamed.
 */
export async function assertHealthy(client: PoolClient, who: string): Promise<void> {
  await answerEnded(client as unknown as ClientState);
  if (client.getTransactionStatus() === 'E') throw new SwallowedSqlError(who);
}

/**
 * U1, U7. The one place where a transaction of ours is committed. `last`: sends the statements that belong to
 * its end, in one write with COMMIT; what must keep it from counting has to fail in SQL.
 */
export async function commitTransaction(
  client: PoolClient,
  who: string,
  last: () => readonly Promise<unknown>[] = () => [],
): Promise<void> {
  await assertHealthy(client, who);
  const { stream } = (client as unknown as ClientState).connection;
  const sent: Promise<unknown>[] = [];
  let unsent: unknown;
  stream.cork();
  try {
    sent.push(...last());
    for (const statement of sent) statement.catch((error: unknown) => (unsent ??= error));
    await new Promise((resolve) => process.nextTick(resolve));
    if (unsent !== undefined) throw unsent; // U7
    sent.push(client.query('COMMIT'));
  } finally {
    stream.uncork();
  }
  const answers = await Promise.allSettled(sent);
  const commit = answers.at(-1) as PromiseSettledResult<{ command: string }>;
  if (commit.status === 'rejected') {
    if (isRefusal(commit.reason)) throw commit.reason;
    const words = `${who}: the connection broke during COMMIT; its outcome is unknown`;
    throw new UnknownOutcomeError(words, { cause: commit.reason });
  }
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (failed) throw failed.reason;
  if (commit.value.command !== 'COMMIT') throw new SwallowedSqlError(who);
}

/**
 * A deferred constraint or a serialization failure refuses the COMMIT; a server that shuts down leaves it
 * open.
 */
function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(?!57P|08)[0-9A-Z]{5}$/.test(code);
}

/** What pg's client knows of itself, and its types do not tell. */
interface ClientState {
  /** False from sending a query until the server says ReadyForQuery. */
  readonly readyForQuery: boolean;
  /** False once the connection has ended or broken. */
  readonly _queryable: boolean;
  readonly connection: { readonly stream: Pick<Writable, 'cork' | 'uncork'> };
  once(event: 'drain' | 'end', listener: () => void): void;
  off(event: 'drain' | 'end', listener: () => void): void;
}

/** Sends all that `send` sends in one write. */
export function inOneWrite<T>(client: PoolClient, send: () => T): T {
  const { stream } = (client as unknown as ClientState).connection;
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}

function answerEnded(client: ClientState): Promise<void> | undefined {
  // oxlint-disable-next-line no-underscore-dangle -- pg-pool reads the same field to tell a broken client
  if (client.readyForQuery || !client._queryable) return undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      client.off('drain', done);
      client.off('end', done);
      resolve();
    };
    client.once('drain', done);
    client.once('end', done);
  });
}
