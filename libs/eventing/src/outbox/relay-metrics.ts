import { metrics, type BatchObservableCallback, type Observable } from '@opentelemetry/api';

/** What the gauges show; undefined while this relay does not lead. */
export interface Lag {
  readonly rows: number;
  readonly seconds: number;
}

/** `aura.relay.*`, through the OpenTelemetry API: nothing is measured where the application has no SDK. */
export class RelayMetrics {
  readonly #meter = metrics.getMeter('@aura/eventing');
  readonly #published = this.#meter.createCounter('aura.relay.published', {
    description: 'Records that the log has acknowledged',
  });
  readonly #batches = this.#meter.createCounter('aura.relay.batches', { description: 'Appends' });
  readonly #saves = this.#meter.createCounter('aura.relay.saves', { description: 'Saves of the cursor' });
  readonly #rows = this.#meter.createObservableGauge('aura.relay.lag.rows', {
    description: 'Rows of the outbox that are not published yet; estimated where there are many',
  });
  readonly #seconds = this.#meter.createObservableGauge('aura.relay.lag.seconds', {
    description: 'Age of the oldest row that waits',
    unit: 's',
  });
  readonly #gauges: Observable[] = [this.#rows, this.#seconds];
  readonly #observe: BatchObservableCallback;

  constructor(lag: () => Lag | undefined) {
    this.#observe = (result) => {
      const now = lag();
      if (!now) return;
      result.observe(this.#rows, now.rows);
      result.observe(this.#seconds, now.seconds);
    };
  }

  start(): void {
    this.#meter.addBatchObservableCallback(this.#observe, this.#gauges);
  }

  stop(): void {
    this.#meter.removeBatchObservableCallback(this.#observe, this.#gauges);
  }

  batch(published: number): void {
    this.#batches.add(1);
    if (published > 0) this.#published.add(published);
  }

  saved(): void {
    this.#saves.add(1);
  }
}
