/** From letters back to events: what a redrive hands to the handlers. */
import type { EventEnvelope } from '@aura/contracts';
import type { EventLog, LogRecord } from '@aura/event-log';
import { kindOf, TerminalError } from '@aura/platform';
import { isRefused, mayBeStandInKey, standInKey, type Lane } from '../consumer/delivery.js';
import { readWhole, type ReadingContext } from '../consumer/reading.js';
import type { QueuedLetter } from './letter-list.js';

/** A letter, decoded anew: schemas, clocks and programs may have changed since it was parked. */
export interface ReadLetter {
  readonly letter: QueuedLetter;
  /**
   * 'event': `event` is to be handled. 'refused': it still can't be read. 'unwanted': no handler takes its
   * type any more.
   */
  readonly content:
    | { readonly kind: 'event'; readonly event: EventEnvelope }
    | { readonly kind: 'refused'; readonly refusal: unknown }
    | { readonly kind: 'unwanted' };
}

export interface LetterReadingContext extends ReadingContext {
  readonly log: Pick<EventLog, 'scan'>;
}

/**
 * Reads letters of one key, in order, up to and including the first that can't be read; rejects with what
 * may pass by itself (log or registry are away) only where that stands first.
 */
export async function readLetters(
  context: LetterReadingContext,
  lane: Lane,
  letters: readonly QueuedLetter[],
  now: Date,
): Promise<ReadLetter[]> {
  const read: ReadLetter[] = [];
  for (const letter of letters)
    try {
      const content = await contentOf(context, lane, letter, now);
      read.push({ letter, content });
      if (content.kind === 'refused') break;
    } catch (error) {
      if (read.length > 0) break;
      throw error;
    }
  return read;
}

async function contentOf(
  context: LetterReadingContext,
  { topic, key }: Lane,
  letter: QueuedLetter,
  now: Date,
): Promise<ReadLetter['content']> {
  if (context.handlers.of(letter.type, topic).length === 0) return { kind: 'unwanted' };
  const { partition, offset, value, headers, parkedAt } = letter;
  const kept = { topic, partition, offset, key, value, headers, timestampMs: parkedAt.getTime() };
  let record: LogRecord;
  try {
    record = mayBeStandInKey(key) ? await withOwnKey(context.log, kept) : kept;
  } catch (error) {
    if (kindOf(error) !== 'terminal') throw error;
    return { kind: 'refused', refusal: error };
  }
  const delivery = await readWhole(context, record, now);
  return isRefused(delivery)
    ? { kind: 'refused', refusal: delivery.refusal }
    : { kind: 'event', event: delivery.event };
}

/**
 * The record as the log still has it: its letter carries a stand-in for its key. Throws `TerminalError`
 * where the log has it no longer.
 */
async function withOwnKey(log: Pick<EventLog, 'scan'>, kept: LogRecord): Promise<LogRecord> {
  const { topic, partition, offset } = kept;
  const place = `${topic}/${partition} at ${offset}`;
  try {
    for await (const record of log.scan(topic, partition, offset, offset + 1n))
      if (isRecordOf(kept, record)) return record;
  } catch (error) {
    if (kindOf(error) === 'transient') throw error;
    throw new TerminalError(`${place} can’t be read any more, and only the log has the key of its record`, {
      cause: error,
    });
  }
  throw new TerminalError(
    `${place} no longer has the record whose key this letter stands in for: raise its event anew, ` +
      'then discard it',
  );
}

/** Another log, or a topic made anew, has other records there. */
function isRecordOf(kept: LogRecord, record: LogRecord): boolean {
  const sameKey = record.key === kept.key || standInKey(record.key) === kept.key;
  return record.offset === kept.offset && sameKey && record.value.equals(kept.value);
}
