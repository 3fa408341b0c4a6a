import { metrics } from '@opentelemetry/api';
import type { UnitOutcome } from './unit.js';

export interface ConsumerMetrics {
  unit(outcome: UnitOutcome, seconds: number): void;
  failed(): void;
  skipped(count: number): void;
}

/**
 * Instruments of one consumer. Made with it, not with the module: a meter taken before the SDK starts stays
 * silent.
 */
export function consumerMetrics(group: string): ConsumerMetrics {
  const meter = metrics.getMeter('@aura/eventing');
  const attributes = { group };
  const events = meter.createCounter('aura.consumer.events', {
    description: 'Events by what became of them: applied, duplicate, parked, skipped (no handler wants them)',
  });
  const failures = meter.createCounter('aura.consumer.unit.failures', {
    description: 'Units that were rolled back',
  });
  const size = meter.createHistogram('aura.consumer.unit.size', { description: 'Events per unit' });
  const duration = meter.createHistogram('aura.consumer.unit.duration', {
    description: 'From BEGIN to COMMIT of a unit',
    unit: 's',
  });
  const count = (outcome: string, n: number): void => {
    if (n > 0) events.add(n, { ...attributes, outcome });
  };
  return {
    unit({ applied, duplicates, parked }, seconds) {
      size.record(applied + duplicates + parked, attributes);
      duration.record(seconds, attributes);
      count('applied', applied);
      count('duplicate', duplicates);
      count('parked', parked);
    },
    failed: () => failures.add(1, attributes),
    skipped: (n) => count('skipped', n),
  };
}
