import { TransientError } from '@aura/platform';
import type { Gap } from './cursor.js';

/** Why the relay reads nothing new, and who holds it up. */
export function fullGaps(gaps: readonly Gap[]): TransientError {
  const oldest = gaps.reduce<bigint | undefined>(
    (xid, gap) => (gap.xid && (!xid || gap.xid < xid) ? gap.xid : xid),
    undefined,
  );
  return new TransientError(
    `reading stopped: ${gaps.length} gaps wait for a transaction older than ${oldest ?? 'this session'}: ` +
      'end it; pg_stat_activity (backend_xid) and pg_prepared_xacts name it',
  );
}
