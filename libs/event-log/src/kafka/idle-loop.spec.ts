import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fixKafkaJsIdleLoop } from './idle-loop.js';

interface Queue {
  pending: unknown[];
  throttledUntil: number;
  scheduleCheckPendingRequests(): void;
  maybeThrottle(ms: number): void;
  push(request: {
    entry: { correlationId: number; resolve?: () => void };
    expectResponse: boolean;
    sendRequest: () => void;
  }): void;
}

const require = createRequire(import.meta.url);

function queue(maxInFlightRequests: number | null = null): Queue {
  const RequestQueue = require('kafkajs/src/network/requestQueue') as new (options: object) => Queue;
  return new RequestQueue({ maxInFlightRequests, requestTimeout: 1_000, logger: { debug: () => undefined } });
}

describe('the idle loop of kafkajs', () => {
  beforeEach(() => {
    fixKafkaJsIdleLoop();
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('arms no timer on an idle connection', () => {
    queue().scheduleCheckPendingRequests();
    vi.advanceTimersByTime(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('arms one timer, not many, for a request that waits', () => {
    const busy = queue(0);
    busy.push({ entry: { correlationId: 1 }, expectResponse: true, sendRequest: () => undefined });
    busy.scheduleCheckPendingRequests();
    expect(vi.getTimerCount()).toBe(1);
  });

  it('sends a throttled request when the broker allows it again, and then stops', () => {
    const throttled = queue();
    throttled.maybeThrottle(500);
    let sent = 0;
    throttled.push({
      entry: { correlationId: 1, resolve: () => undefined },
      expectResponse: false,
      sendRequest: () => (sent += 1),
    });
    vi.advanceTimersByTime(499);
    expect(sent).toBe(0);
    vi.advanceTimersByTime(20);
    expect(sent).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
