import { metrics, type BatchObservableCallback, type Observable } from '@opentelemetry/api';

/** What the gauges show; undefined while this relay does not lead. */
export interface RelayFigures {
  readonly rows: number;
  readonly seconds: number;
  /** Keys that the log refused a record of. */
  readonly parkedKeys: number;
  /** Because time went backwards (E10). */
  readonly stopped: boolean;
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
  readonly #parked = this.#meter.createObservableGauge('aura.relay.parked.keys', {
    description: 'Keys that the log refused a record of, for good',
  });
  readonly #stopped = this.#meter.createObservableGauge('aura.relay.stopped', {
    description: '1 while the relay has stopped because time went backwards',
  });
  readonly #gauges: Observable[] = [this.#rows, this.#seconds, this.#parked, this.#stopped];
  readonly #attributes: { readonly service: string };
  readonly #observe: BatchObservableCallback;

  constructor(service: string, figures: () => RelayFigures | undefined) {
    this.#attributes = { service };
    this.#observe = (result) => {
      const now = figures();
      if (!now) return;
      result.observe(this.#rows, now.rows, this.#attributes);
      result.observe(this.#seconds, now.seconds, this.#attributes);
      result.observe(this.#parked, now.parkedKeys, this.#attributes);
      result.observe(this.#stopped, now.stopped ? 1 : 0, this.#attributes);
    };
  }

  start(): void {
    this.#meter.addBatchObservableCallback(this.#observe, this.#gauges);
  }

  stop(): void {
    this.#meter.removeBatchObservableCallback(this.#observe, this.#gauges);
  }

  batch(published: number): void {
    this.#batches.add(1, this.#attributes);
    if (published > 0) this.#published.add(published, this.#attributes);
  }

  saved(): void {
    this.#saves.add(1, this.#attributes);
  }
}
