/** O1: what operators did, and why. The only statements on `aura.operation`. */
import { run, statement, type Queryable } from '@aura/platform';
import type { Change } from './operations.js';

const NOTE = statement(
  'operation_insert',
  `insert into aura.operation (what, subject, reason, by) values ($1, $2::jsonb, $3, $4)`,
);

/**
 * In the transaction of the change itself: what was done and what is written down can't differ. `subject`:
 * ids and selections, no payloads. Does nothing for a dry run.
 */
export async function noteOperation(
  db: Queryable,
  what: string,
  subject: object,
  { reason, by, dryRun }: Change,
): Promise<void> {
  if (!dryRun) await run(db, NOTE, [what, JSON.stringify(subject, integersAsText), reason, by]);
}

/** JSON can't carry 64 bits. */
function integersAsText(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
