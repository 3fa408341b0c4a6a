/**
 * Pure. Which days of the outbox may be dropped: the outbox is the event store that replay reads, and what
 * the relay still has to carry.
 *
 * T1 a day goes only when it ended before the retention;
 * T2 and only when everything up to its last position is done with: behind the saved cursor, outside every
 *    gap, not pending, before the first row of every parked key, and passed by every running replay. "Up to
 *    its last position" is on purpose: a row that is not visible yet has a position of any day;
 * T5 nothing goes while the relay has stopped because time went backwards (E10): mending it may publish the
 *    oldest rows again.
 */
import type { SavedCursor } from './cursor.js';

const DAY_MS = 86_400_000;

/** One day's partition of the outbox. */
export interface OutboxDay {
  /** Table name, `outbox_<yyyymmdd>`, UTC. */
  readonly name: string;
  /** Undefined where it is empty. */
  readonly lastPosition: bigint | undefined;
}

/** Who still needs rows of the outbox. */
export interface OutboxNeeds {
  readonly cursor: Pick<SavedCursor, 'position' | 'gaps' | 'pending'>;
  /** Position of the first row of each key that the relay has parked: the least of them. */
  readonly parkedFrom: bigint | undefined;
  /** What running replays have done, the least of them. */
  readonly replayedTo: bigint | undefined;
  /** T5. Code of the finding that has stopped the relay. */
  readonly stoppedBy: string | undefined;
}

/** When a day ended, from its name; undefined for a table that is no day of the outbox. */
export function endOfDay(name: string): Date | undefined {
  const [, year, month, day] = /^outbox_(\d{4})(\d{2})(\d{2})$/.exec(name) ?? [];
  if (!year || !month || !day) return undefined;
  return new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)) + DAY_MS);
}

/** T1. For how many whole days the retention has passed the end of this day; undefined: it has not. */
export function daysOverdue(name: string, now: Date, retentionDays: number): number | undefined {
  const end = endOfDay(name);
  if (!end) return undefined;
  const overdueMs = now.getTime() - retentionDays * DAY_MS - end.getTime();
  return overdueMs < 0 ? undefined : Math.floor(overdueMs / DAY_MS);
}

/** T2. Why `day` has to stay, in words; undefined: it may go. */
export function whyKept({ lastPosition }: OutboxDay, needs: OutboxNeeds): string | undefined {
  if (lastPosition === undefined) return undefined;
  if (needs.stoppedBy !== undefined)
    return `the relay has stopped (${needs.stoppedBy}), and mending it may need the oldest events`;
  const { position, gaps, pending } = needs.cursor;
  if (lastPosition > position)
    return `the relay has not published position ${lastPosition} yet, it stands at ${position}`;
  const gap = gaps.find(({ first }) => first <= lastPosition);
  if (gap) return `the relay still looks for positions ${gap.first} to ${gap.last}`;
  const waiting = pending.find((p) => p <= lastPosition);
  if (waiting !== undefined)
    return `position ${waiting} waits for its partition of the log, which can't be reached`;
  if (needs.parkedFrom !== undefined && needs.parkedFrom <= lastPosition)
    return `a key that the relay has parked waits from position ${needs.parkedFrom} on: resume it`;
  if (needs.replayedTo !== undefined && needs.replayedTo < lastPosition)
    return `a replay is running and stands at position ${needs.replayedTo}`;
  return undefined;
}
