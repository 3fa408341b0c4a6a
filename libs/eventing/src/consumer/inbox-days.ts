/**
 * Pure. The days of the inbox, which is partitioned by range of event id: a UUIDv7 begins with its time in
 * ms (RFC 9562), so a day of time is a range of ids.
 */
import { timeOf } from '@aura/contracts';
import { TerminalError } from '@aura/platform';

const DAY_MS = 86_400_000;
/** How far ahead of our clock an id may be: two clocks apart, not a wrong clock. */
const MAX_AHEAD_MS = 3_600_000;

/** One partition of the inbox: ids from `from` (inclusive) to `to` (exclusive). */
export interface InboxDay {
  /** Table name, `inbox_<yyyymmdd>`, UTC. */
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly endsAt: Date;
}

/** The day of `now` and the `ahead` days after it. */
export function inboxDays(now: Date, ahead: number): InboxDay[] {
  const today = Math.floor(now.getTime() / DAY_MS);
  return Array.from({ length: ahead + 1 }, (_, i) => {
    const startMs = (today + i) * DAY_MS;
    const date = new Date(startMs).toISOString().slice(0, 10).replaceAll('-', '');
    const endMs = startMs + DAY_MS;
    return {
      name: `inbox_${date}`,
      from: lowestIdOf(startMs),
      to: lowestIdOf(endMs),
      endsAt: new Date(endMs),
    };
  });
}

/**
 * Throws `TerminalError` for an id of the future: one such row in the DEFAULT partition would keep the
 * partition of its day from being made (H50). `id` is a UUIDv7.
 */
export function refuseFutureId(id: string, now: Date): void {
  const aheadMs = timeOf(id).getTime() - now.getTime();
  if (aheadMs <= MAX_AHEAD_MS) return;
  throw new TerminalError(
    `event ${id} is ${Math.round(aheadMs / 60_000)} minutes ahead of this clock, 60 are allowed: ` +
      'correct the clock of its publisher',
  );
}

/** The days among the partitions `names` that ended `retentionDays` ago or longer, oldest first. */
export function forgettableDays(names: readonly string[], now: Date, retentionDays: number): InboxDay[] {
  return names
    .toSorted()
    .flatMap((name) => {
      const [, year, month, day] = /^inbox_(\d{4})(\d{2})(\d{2})$/.exec(name) ?? [];
      return year ? inboxDays(new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))), 0) : [];
    })
    .filter(({ endsAt }) => endsAt.getTime() + retentionDays * DAY_MS <= now.getTime());
}

/** Below every id of this ms: its version digits are 0, a UUIDv7's are 7. */
export function lowestIdOf(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
