/**
 * Pure. When a group can't tell any more whether it has applied an event.
 *
 * W1 a group remembers the ids of `inboxRetentionDays`; below its low-water mark it has forgotten some;
 * W2 a first delivery below the mark is honest backlog: its reader was down, or its key stood still, for
 *    longer than that. It is applied (H41);
 * W3 what is below the mark and is sent again (a replay's or a republication's label) or read again (its
 *    offset is below the partition's high water) may have been applied and forgotten: it is parked as too
 *    old to judge, never applied a second time (E7, H8), never dropped (E5).
 */
import { HEADER, timeOf } from '@aura/contracts';
import { TerminalError } from '@aura/platform';
import { isRefused, type Delivery } from './delivery.js';
import { lowestIdOf } from './inbox-days.js';

/** The shortest retention of an inbox, in days: no mark is younger. */
export const MIN_RETENTION_DAYS = 1;
/** Ids younger than this are above every mark, whatever two clocks apart say. */
const SURE_MS = 12 * 3_600_000;

/** A group's memory. */
export interface LowWater {
  /** Ids below it may be forgotten. */
  readonly below: string;
  /** By `topic/partition`: offsets below were passed before. */
  readonly highWater: ReadonlyMap<string, bigint>;
}

/** Nobody can say whether this event was applied. */
export class TooOldToJudgeError extends TerminalError {}

/** The id from which on no mark can be above, at `now`. */
export function sureFrom(now: Date): string {
  return lowestIdOf(Math.max(0, now.getTime() - SURE_MS));
}

/**
 * W3. Whether the mark has to be asked for at all: almost never, so that a unit costs nothing more. `sure`:
 * `sureFrom` of now.
 */
export function mayBeTooOld(delivery: Delivery, sure: string): boolean {
  if (isRefused(delivery)) return false; // it is parked anyway, for its own reason
  return delivery.id < sure || delivery.record.headers[HEADER.replayId] !== undefined;
}

/** W2, W3. Undefined where `delivery` may be applied. */
export function tooOld(
  { record, id }: Delivery,
  { below, highWater }: LowWater,
): TooOldToJudgeError | undefined {
  if (id >= below) return undefined;
  const replay = record.headers[HEADER.replayId];
  const passed = highWater.get(`${record.topic}/${record.partition}`) ?? 0n;
  if (replay === undefined && record.offset >= passed) return undefined;
  const how =
    replay === undefined
      ? `was read again (offset ${record.offset} of ${record.topic}/${record.partition}, passed before)`
      : `was sent again by the replay ${replay}`;
  return new TooOldToJudgeError(
    `event ${id} of ${timeOf(id).toISOString()} ${how}, and this group remembers what it applied only from ` +
      `${timeAt(below).toISOString()} on: redrive it if it was never applied, discard it if it was`,
  );
}

/** The lowest mark above every one of `ids`. */
export function markAbove(ids: readonly string[]): string {
  const highest = ids.reduce((a, b) => (a > b ? a : b));
  return lowestIdOf(timeAt(highest).getTime() + 1);
}

/** The first 48 bits, as `timeOf`; also of a bound, which is no UUIDv7. */
function timeAt(id: string): Date {
  return new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16));
}
