/**
 * Pure: how a member goes through what the last owner of a partition had under way when it ended without a
 * release (H21, H49).
 *
 * G1 units of one partition, 1, 2, 4, .. records, each noted in the database before it begins; over where
 *    nobody can have been yet;
 * G2 where a noted unit ended its process too, one record at a time until behind it: at most three
 *    processes end before the event stands alone, however far in it lies;
 * G3 an event that stood alone and began `maxStarts` times is not begun again: it is parked.
 */
import { TerminalError } from '@aura/platform';

/** A unit that was noted before it began and has not ended: records `offset` up to `until`, exclusive. */
export interface NotedStart {
  readonly offset: bigint;
  readonly until: bigint;
}

export interface SlowStart {
  /** From here on it is over: nobody had these records under way. */
  readonly until: bigint;
  /** G2. Below it one record at a time. */
  readonly aloneUntil: bigint;
  /** Records of the next unit that lies behind `aloneUntil`. */
  readonly size: number;
}

/** Undefined where nothing is to be feared. `suspectUntil`, `startedUntil`: from the database. */
export function slowStart(
  at: bigint,
  suspectUntil: bigint | undefined,
  startedUntil: bigint | undefined,
): SlowStart | undefined {
  const aloneUntil = startedUntil ?? at;
  const until = suspectUntil !== undefined && suspectUntil > aloneUntil ? suspectUntil : aloneUntil;
  return at < until ? { until, aloneUntil, size: 1 } : undefined;
}

/** How many records the unit at `at` takes. */
export function sizeAt(slow: SlowStart, at: bigint): number {
  return at < slow.aloneUntil ? 1 : slow.size;
}

/** After a unit from `from` up to `reached`. Undefined: it is over. */
export function grown(slow: SlowStart, from: bigint, reached: bigint): SlowStart | undefined {
  if (reached >= slow.until) return undefined;
  return from < slow.aloneUntil ? slow : { ...slow, size: slow.size * 2 };
}

/** G3. Why an event is parked that nobody saw fail. */
export class EndedProcessError extends TerminalError {
  constructor(place: string, times: number) {
    super(
      `the event at ${place} ended its process ${times} times while it was handled alone (a crash, out of ` +
        'memory, a loop that does not end): it is parked instead of being tried in the next process. Look ' +
        'at the end of the logs of its owners, mend the handler, then `npm run aura -- dead-letters redrive`',
    );
  }
}
