import { v7 } from 'uuid';

/** A random UUIDv7 (RFC 9562) of the time `now`: for what a person's request raises. */
export function newEventId(now: Date): string {
  return v7({ msecs: now.getTime() });
}
