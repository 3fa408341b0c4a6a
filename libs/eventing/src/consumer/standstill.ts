/** Why a partition stands still, as a code that lists, scripts and the doctor can decide by. */
import { PositionOutOfRangeError, UnknownTopicError } from '@aura/event-log';
import { LettersFullError } from '../letters/letters-full-error.js';
import type { Standstill } from '../operations/operations.js';
import { GroupPausedError } from './group-pause.js';
import { StaleOwnerError } from './offsets.js';
import { ForgottenGroupError } from './place-check.js';
import { SchemaAwayError } from './reading.js';

/** Undefined where nothing but the pause of the whole group holds it, which is said once, of the group. */
export function standstillOf(error: Error): Standstill | undefined {
  if (error instanceof GroupPausedError) return undefined;
  return { code: codeOf(error), words: error.message };
}

/** By class, never by text. */
function codeOf(error: Error): Standstill['code'] {
  if (error instanceof LettersFullError)
    return error.cap.of === 'key' ? 'key-letters-full' : 'group-letters-full';
  if (error instanceof SchemaAwayError) return 'schema-away';
  if (error instanceof PositionOutOfRangeError)
    return error.position.offset < error.bounds.first ? 'position-expired' : 'position-beyond-end';
  if (error instanceof ForgottenGroupError) return 'group-forgotten';
  if (error instanceof UnknownTopicError) return 'topic-gone';
  if (error instanceof StaleOwnerError) return 'owner-changed';
  return 'partition-stalled';
}
