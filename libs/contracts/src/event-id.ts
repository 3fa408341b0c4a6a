import { hash as digest } from 'node:crypto';
import { InvariantError } from '@aura/platform';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** True for a UUIDv7 in lower case, the one form of an event's id. */
export function isUuidV7(id: string): boolean {
  return UUID_V7.test(id);
}

/** The time in a UUIDv7, to the millisecond. Throws `InvariantError` for anything else. */
export function timeOf(id: string): Date {
  if (!isUuidV7(id))
    throw new InvariantError(`${JSON.stringify(id)} is no UUIDv7: event ids have no other form`);
  return new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16));
}

/** What a derived id is a function of. */
export interface Derivation {
  /** Id of the event, or of the task, that this one is raised while handling. A UUIDv7. */
  readonly causeId: string;
  /** The consumer group that handles it; 'task' for a task. */
  readonly group: string;
  /** Counts what one cause raised in one group, from 0. */
  readonly ordinal: number;
}

/**
 * The id of what is raised while handling `causeId`: the cause's time, then a hash of cause, group and
 * ordinal. A service that handles the same event again, after a restore or in another attempt, raises the
 * same ids, and readers drop them (H40). Different groups and ordinals collide like 74 random bits do.
 */
export function derivedId({ causeId, group, ordinal }: Derivation): string {
  timeOf(causeId);
  // A length in front of the group: no two derivations hash the same bytes.
  const source = `aura-derived-id:1:${causeId}:${Buffer.byteLength(group)}:${group}:${ordinal}`;
  const hash = digest('sha256', source, 'buffer');
  hash[6] = 0x70 | ((hash[6] as number) & 0x0f);
  hash[8] = 0x80 | ((hash[8] as number) & 0x3f);
  const hex = hash.toString('hex', 6, 16);
  return `${causeId.slice(0, 14)}${hex.slice(0, 4)}-${hex.slice(4, 8)}-${hex.slice(8)}`;
}
