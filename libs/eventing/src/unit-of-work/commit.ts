/**
 * U1 a COMMIT counts only if Postgres answered `COMMIT` (H1, H42): after a swallowed SQL error it answers `ROLLBACK`, without
 *    an error, and TypeORM's own `transaction()` resolves;
 * U2 a transaction that is in the failed state is found before COMMIT, without a round trip, so that who swallowed the
 *    error is named.
 */
import { TransientError } from '@aura/platform';
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

/** The connection broke while COMMIT was under way: it may have happened or not. The caller must look, or repeat safely. */
export class UnknownOutcomeError extends TransientError {}

/** U2. Throws `SwallowedSqlError` when the transaction of `client` is in the failed state. */
export function assertHealthy(client: PoolClient, who: string): void {
  if (client.getTransactionStatus() === 'E') throw new SwallowedSqlError(who);
}

/** U1. The one place where a transaction of ours is committed. */
export async function commitTransaction(client: PoolClient, who: string): Promise<void> {
  assertHealthy(client, who);
  let command: string;
  try {
    ({ command } = await client.query('COMMIT'));
  } catch (error) {
    // A deferred constraint answers with an SQLSTATE: a plain refusal. Anything else is a connection that broke.
    if (error instanceof Error && /^[0-9A-Z]{5}$/.test((error as { code?: string }).code ?? '')) throw error;
    throw new UnknownOutcomeError(`${who}: the connection broke during COMMIT; its outcome is unknown`, {
      cause: error,
    });
  }
  if (command !== 'COMMIT') throw new SwallowedSqlError(who);
}
