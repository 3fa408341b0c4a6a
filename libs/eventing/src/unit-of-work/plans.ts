import type { PoolClient } from 'pg';

const FIRST_MS = 500;
const LONGEST_MS = 600_000;

interface Age {
  readonly sinceMs: number;
  dueMs: number;
}

const ages = new WeakMap<PoolClient, Age>();

/**
 * Whether the plans of this connection's statements should be made anew: when its age has doubled, and every
 * 10 minutes from then on. Postgres keeps a plan that fits any values for as long as nobody analyses the
 * table: one that was made while the table was empty reads all of it, however long it has become.
 */
export function arePlansOld(client: PoolClient, nowMs: number): boolean {
  const age = ages.get(client);
  if (!age) {
    ages.set(client, { sinceMs: nowMs, dueMs: nowMs + FIRST_MS });
    return false;
  }
  if (nowMs < age.dueMs) return false;
  age.dueMs = nowMs + Math.min(nowMs - age.sinceMs, LONGEST_MS);
  return true;
}
