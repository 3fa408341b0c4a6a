import { createRequire } from 'node:module';

interface RequestQueue {
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  throttledUntil: number;
  pending: unknown[];
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

/**
 * kafkajs 2.2.4 re-arms a timer with a negative delay for ever on every broker connection: some 900 wake-ups
 * a second and 5 % of a core per idle connection, and a TimeoutNegativeWarning on Node 24 (tulios/kafkajs
 * issues 1704, 1751, 1755, 1768). A connection with nothing queued and nothing throttled needs no timer:
 * `push` arms one when it queues a request.
 *
 * With record-encoding.ts and record-decoding.ts the only place where kafkajs itself is changed. Safe to call
 * again. The version of kafkajs is pinned for it.
 */
export function fixKafkaJsIdleLoop(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.throttleCheckTimeoutId) return;
    const throttledMs = this.throttledUntil - Date.now();
    if (throttledMs <= 0 && this.pending.length === 0) return;
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      throttledMs > 0 ? throttledMs : 10,
    );
  };
}
