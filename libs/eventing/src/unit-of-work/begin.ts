import type { PoolClient } from 'pg';

/**
 * Begins a transaction and marks it, in one: the mark ends with it, and is not there where the beginning
 * failed.
 */
export function sendBegin(client: PoolClient): Promise<unknown> {
  return client.query(`START TRANSACTION; SET LOCAL aura.unit = 'begun'`);
}

/** SQL: whether a statement runs within a unit of work that has begun. */
export const IN_UNIT = `coalesce(current_setting('aura.unit', true), '') = 'begun'`;
