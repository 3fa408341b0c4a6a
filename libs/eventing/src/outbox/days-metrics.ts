import { metrics, type BatchObservableCallback, type Observable } from '@opentelemetry/api';
import type { KeptDay } from './retention.js';

const DAY_MS = 86_400_000;

/**
 * `aura.<table>.days.ahead`: for how many days from today there are partitions, by what this process last
 * saw: it falls while days can't be made. `aura.<table>.days.overdue`: for how many days the oldest one has
 * stayed past the retention.
 */
export class DaysMetrics {
  readonly #meter = metrics.getMeter('@aura/eventing');
  readonly #ahead;
  readonly #overdue;
  readonly #gauges: Observable[];
  readonly #observe: BatchObservableCallback;
  #madeUntilDay: number | undefined;
  #overdueDays = 0;

  constructor(
    table: 'outbox' | 'inbox',
    private readonly service: string,
    private readonly nowMs: () => number = Date.now,
  ) {
    this.#ahead = this.#meter.createObservableGauge(`aura.${table}.days.ahead`, {
      description: 'Days from today that have a partition; negative: none for today',
    });
    this.#overdue = this.#meter.createObservableGauge(`aura.${table}.days.overdue`, {
      description: 'Days for which the oldest partition has stayed past the retention',
    });
    this.#gauges = [this.#ahead, this.#overdue];
    this.#observe = (result) => {
      const ahead = this.daysAhead();
      if (ahead === undefined) return;
      const attributes = { service: this.service };
      result.observe(this.#ahead, ahead, attributes);
      result.observe(this.#overdue, this.#overdueDays, attributes);
    };
  }

  start(): void {
    this.#meter.addBatchObservableCallback(this.#observe, this.#gauges);
  }

  stop(): void {
    this.#meter.removeBatchObservableCallback(this.#observe, this.#gauges);
  }

  /** Undefined until they were first made. */
  daysAhead(): number | undefined {
    return this.#madeUntilDay === undefined ? undefined : this.#madeUntilDay - this.#today();
  }

  /** Partitions are there for today and `days` after it. */
  madeAhead(days: number): void {
    this.#madeUntilDay = this.#today() + days;
  }

  kept(days: readonly Pick<KeptDay, 'overdueDays'>[]): void {
    this.#overdueDays = Math.max(0, ...days.map(({ overdueDays }) => overdueDays));
  }

  #today(): number {
    return Math.floor(this.nowMs() / DAY_MS);
  }
}
