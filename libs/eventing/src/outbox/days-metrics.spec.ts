import { expect, it } from 'vitest';
import { DaysMetrics } from './days-metrics.js';

const DAY_MS = 86_400_000;

it('H24: the days ahead fall while none can be made, below the two of the alarm and below today', () => {
  let nowMs = Date.parse('2026-11-26T23:00:00Z');
  const metrics = new DaysMetrics('outbox', 'shop', () => nowMs);
  expect(metrics.daysAhead()).toBeUndefined();
  metrics.madeAhead(7);
  const seen = Array.from({ length: 9 }, () => {
    const ahead = metrics.daysAhead();
    nowMs += DAY_MS;
    return ahead;
  });
  expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1, 0, -1]);
  metrics.madeAhead(7);
  expect(metrics.daysAhead()).toBe(7);
});
