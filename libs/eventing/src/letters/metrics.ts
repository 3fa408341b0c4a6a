import { metrics } from '@opentelemetry/api';
import type { ParkedState } from './parking.js';

/** What became of letters that left their queue. */
export type LetterEnd = 'redriven' | 'discarded' | 'duplicate' | 'unwanted';

export interface LetterMetrics {
  left(end: LetterEnd, letters: number): void;
  attemptFailed(): void;
  /** Something was parked, moved or discarded by this process. */
  changed(): void;
}

type Totals = readonly { readonly state: ParkedState; readonly keys: number; readonly letters: number }[];

/**
 * Instruments of one group's letters. How many there are is asked when somebody collects, and only while
 * some are known to be there or this process has changed them: an idle service asks nothing. Where several
 * replicas tell, the largest figure is right.
 */
export function letterMetrics(group: string, totals: () => Promise<Totals>): LetterMetrics {
  const meter = metrics.getMeter('@aura/eventing');
  const ended = meter.createCounter('aura.letters.left', {
    description:
      'Letters that left their queue: redriven, discarded by an operator, duplicate, unwanted (no handler)',
  });
  const failures = meter.createCounter('aura.letters.failures', {
    description: 'Attempts of a redrive that failed at an event',
  });
  const keys = meter.createObservableGauge('aura.letters.keys', { description: 'Parked keys, by state' });
  const letters = meter.createObservableGauge('aura.letters.waiting', {
    description: 'Letters of parked keys, by state of their key',
  });
  let known: Totals = [];
  let stale = true;
  meter.addBatchObservableCallback(
    async (observed) => {
      if (stale || known.length > 0) {
        stale = false;
        known = await totals().catch((): Totals => {
          stale = true; // the database is away: the figures of before
          return known;
        });
      }
      for (const state of ['retrying', 'dead'] as const) {
        const now = known.find((one) => one.state === state);
        observed.observe(keys, now?.keys ?? 0, { group, state });
        observed.observe(letters, now?.letters ?? 0, { group, state });
      }
    },
    [keys, letters],
  );
  return {
    left(end, n) {
      if (n > 0) ended.add(n, { group, end });
      stale = true;
    },
    attemptFailed() {
      failures.add(1, { group });
      stale = true;
    },
    changed() {
      stale = true;
    },
  };
}
