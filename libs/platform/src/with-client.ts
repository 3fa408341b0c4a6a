import { DatabaseError, type Pool, type PoolClient } from 'pg';
import { kindOf } from './errors.js';

/**
 * Runs `use` on one connection of `pool` and gives it back, whatever happens.
 *
 * pg-pool stops listening for a connection's 'error' while it is out: without a listener here, a server
 * that goes away would be an uncaught exception, and end the process. Errors: those of `use` and of getting
 * the connection, as they are. Limits: a connection on which `use` failed is closed, not given back, unless
 * the error shows that it works: an SQLSTATE of a server that is not going down.
 */
export async function withClient<T>(
  pool: Pick<Pool, 'connect'>,
  use: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  const onError = (): void => {
    broken = true;
  };
  client.on('error', onError);
  try {
    return await use(client);
  } catch (error) {
    broken ||= !(error instanceof DatabaseError) || kindOf(error) === 'transient';
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
