import { setTimeout } from 'node:timers/promises';

/** Waits `ms`, or until `signal` is aborted. Never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => undefined); // an abort ends the wait, and is looked at by the caller
}
