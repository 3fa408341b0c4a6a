import { metrics, type BatchObservableCallback, type Observable } from '@opentelemetry/api';
import type { ConsumerStatus } from './consumer.js';
import type { UnitOutcome } from './unit.js';

export interface ConsumerMetrics {
  unit(outcome: UnitOutcome, seconds: number): void;
  failed(): void;
  skipped(count: number): void;
  /** Of a member that has left: its gauges go. */
  close(): void;
}

/**
 * Instruments of one consumer. Made with it, not with the module: a meter taken before the SDK starts stays
 * silent.
 */
export function consumerMetrics(
  group: string,
  status: () => Pick<ConsumerStatus, 'lags' | 'stalledPartitions' | 'paused'>,
): ConsumerMetrics {
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
  const lag = meter.createObservableGauge('aura.consumer.lag', {
    description: 'Records of a partition that its group has not passed; of one that stands still, as of then',
  });
  const stalled = meter.createObservableGauge('aura.consumer.stalled', {
    description: 'Assigned partitions that stand still',
  });
  const paused = meter.createObservableGauge('aura.consumer.paused', {
    description: '1 while the group is paused',
  });
  const gauges: Observable[] = [lag, stalled, paused];
  const observe: BatchObservableCallback = (result) => {
    const { lags, stalledPartitions, paused: pause } = status();
    for (const { topic, partition, records } of lags)
      result.observe(lag, records, { ...attributes, topic, partition });
    result.observe(stalled, stalledPartitions.length, attributes);
    result.observe(paused, pause ? 1 : 0, attributes);
  };
  meter.addBatchObservableCallback(observe, gauges);
  return {
    close: () => meter.removeBatchObservableCallback(observe, gauges),
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
