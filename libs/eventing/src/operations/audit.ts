/** O1: what operators did, and why. The only statements on `aura.operation`. */
import { run, statement, type Queryable } from '@aura/platform';
import type { Work } from '../unit-of-work/work.js';
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
  change: Change,
): Promise<void> {
  if (!change.dryRun) await run(db, NOTE, valuesOf(what, subject, change));
}

/** The same in a unit of work: for changes of other libs. */
export async function noteOperationIn(
  work: Pick<Work, 'run'>,
  what: string,
  subject: object,
  change: Change,
): Promise<void> {
  if (!change.dryRun) await work.run(NOTE, valuesOf(what, subject, change));
}

function valuesOf(what: string, subject: object, { reason, by }: Change): unknown[] {
  return [what, JSON.stringify(subject, integersAsText), reason, by];
}

/** JSON can't carry 64 bits. */
function integersAsText(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
