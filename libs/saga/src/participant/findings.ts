/** What an operator should know of a participant's branches. */
import { taskErrors, type Finding } from '@aura/eventing';
import type { Clock } from '@aura/platform';
import type { Pool } from 'pg';
import type { Alarms } from './alarms.js';
import { stuckBranches } from './barrier-store.js';
import { keyOf, type BranchRow } from './branch-row.js';
import { kindOf } from './branch-tasks.js';

/** In one answer of the doctor. */
const MOST = 20;

export interface FindingsOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly attentionAfterMs: number;
}

export async function branchFindings({
  pool,
  clock,
  alarms,
  attentionAfterMs,
}: FindingsOptions): Promise<readonly Finding[]> {
  const now = clock.now();
  const rows = await stuckBranches(pool, new Date(now.getTime() - attentionAfterMs), MOST);
  const kinds = (['work', 'call', 'release'] as const).map(kindOf);
  const errors = await taskErrors(pool, kinds, rows.map(keyOf));
  return [...alarms.findings(), ...rows.map((row) => findingOf(row, errors.get(keyOf(row))))];
}

function findingOf(
  row: BranchRow,
  error: { readonly name: string; readonly message: string } | undefined,
): Finding {
  const subject = `saga ${row.sagaId}, branch ${row.branch}`;
  const why = error ? `${error.name}: ${error.message}` : 'no attempt has failed yet';
  if (row.state === 'PREPARED')
    return {
      code: 'branch-held',
      severity: 'warning',
      subject,
      words:
        `${row.branchType} is held since ${row.preparedAt?.toISOString()} and ${row.coordinator} has not ` +
        `said what was decided, asked ${row.asks} times: look at the saga there`,
      command: undefined,
    };
  const since = (row.decidedAt ?? row.createdAt).toISOString();
  return {
    code: 'branch-work-stuck',
    severity: 'warning',
    subject,
    words: `${row.branchType} is ${row.state} since ${since} and is tried again by itself; ${why}`,
    command: undefined,
  };
}
