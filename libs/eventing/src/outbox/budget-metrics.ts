import { metrics, type BatchObservableCallback, type Observable } from '@opentelemetry/api';
import type { BudgetStatus } from './budget.js';

/** `aura.outbox.*`: what waits to be published, as every replica sees it, whether or not it leads. */
export class BudgetMetrics {
  readonly #meter = metrics.getMeter('@aura/eventing');
  readonly #refused = this.#meter.createCounter('aura.outbox.refused', {
    description: 'Raises that were refused because the budget of the outbox was used up',
  });
  readonly #used = this.#meter.createObservableGauge('aura.outbox.budget.used', {
    description: 'Share of the budget of the outbox that is used; 1 is all of it',
  });
  readonly #bytes = this.#meter.createObservableGauge('aura.outbox.waiting.bytes', {
    description: 'Estimated bytes of the outbox that are not published yet',
    unit: 'By',
  });
  readonly #seconds = this.#meter.createObservableGauge('aura.outbox.waiting.seconds', {
    description: 'Age of the oldest event that is not published yet',
    unit: 's',
  });
  readonly #gauges: Observable[] = [this.#used, this.#bytes, this.#seconds];
  readonly #observe: BatchObservableCallback;

  constructor(
    private readonly service: string,
    status: () => BudgetStatus,
  ) {
    const attributes = { service };
    this.#observe = (result) => {
      const { share, waiting } = status();
      result.observe(this.#used, share, attributes);
      result.observe(this.#bytes, waiting.bytes, attributes);
      result.observe(this.#seconds, waiting.ageMs / 1_000, attributes);
    };
  }

  /** Also makes the counter appear, at 0: a rate has to start somewhere. */
  start(): void {
    this.#refused.add(0, { service: this.service });
    this.#meter.addBatchObservableCallback(this.#observe, this.#gauges);
  }

  stop(): void {
    this.#meter.removeBatchObservableCallback(this.#observe, this.#gauges);
  }

  refused(): void {
    this.#refused.add(1, { service: this.service });
  }
}
