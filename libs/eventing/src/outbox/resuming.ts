/**
 * H31: a parked key goes on from its first row, by the leader alone, a step of the outbox at a time. Its rows
 * become gaps of the cursor: they are read again in one order with everything else, so what is raised
 * meanwhile stays behind them. What lies past the step stays parked. The caller saves gaps and marks in one.
 */
import type { Queryable } from '@aura/platform';
import type { Cursor } from './cursor.js';
import type { Lanes } from './lanes.js';
import { rowsOfKey, wantedKeys, type RelayRow, type ResumedKey } from './relay-store.js';

/** Keys at once, and rows of the outbox that are looked through for one of them at once. */
const KEYS = 10;
const STEP = 5_000;

/** `gaps`: most ranges that the cursor may have. */
export async function resumeSome(
  session: Queryable,
  cursor: Cursor,
  lanes: Lanes<RelayRow>,
  gaps: number,
): Promise<ResumedKey[]> {
  const resumed: ResumedKey[] = [];
  for (const key of await wantedKeys(session, KEYS)) {
    if (cursor.gaps.length >= gaps / 2) break; // what was reopened before is read first
    const step = Math.max(1, Math.min(STEP, Math.floor(gaps / 4)));
    const { positions, through } = await rowsOfKey(session, key, cursor.position, step);
    const from = through === undefined ? undefined : through + 1n;
    cursor.reopen(positions);
    lanes.resume({ topic: key.topic, key: key.key, from });
    resumed.push({ topic: key.topic, key: key.key, from });
  }
  return resumed;
}
