import type { Pool, PoolClient } from 'pg';

const FIRST_MS = 500;
const LONGEST_MS = 600_000;

interface Age {
  readonly sinceMs: number;
  dueMs: number;
}

const ages = new WeakMap<PoolClient, Age>();

/**
 * From now on a connection that is taken from `pool` throws its plans away once they are old. Postgres keeps
 * a plan that fits any values for as long as nobody analyses the table: one that was made while the table
 * was empty reads all of it, however long it has become.
 */
export function keepPlansFresh(pool: Pool): void {
  pool.on('acquire', (client) => {
    if (!arePlansOld(client, performance.now())) return;
    // Ahead of whatever its taker sends; where it fails, so does that.
    client.query('DISCARD PLANS').catch(() => undefined);
  });
}

/** Whether the age of this connection has doubled; from its tenth minute on every ten minutes. */
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
