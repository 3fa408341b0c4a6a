import type { PoolClient } from 'pg';
import { UnitOfWork, type UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';

/**
 * A transaction of the consumer's own statements, without handlers. Rolled back, and the error goes on,
 * when `fn` throws.
 */
export async function transact<T>(
  units: UnitOfWorkContext,
  who: string,
  fn: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const unit = await UnitOfWork.begin(units);
  try {
    const result = await fn(unit.client);
    await unit.commit(who);
    return result;
  } catch (error) {
    await unit.rollback();
    throw error;
  }
}
