import { setTimeout } from 'node:timers/promises';

/** Waits `ms`, or until `signal` is aborted. Never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // An abort ends the wait; the caller looks at the signal.
  await setTimeout(ms, undefined, { signal }).catch(() => undefined);
}
