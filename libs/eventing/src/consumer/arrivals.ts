/**
 * What one call of the log brought, on its way into units.
 *
 * I1 what no handler wants, by its type or by what it says, is dropped before the database (M3);
 * I2 partitions that are gone through carefully come after the others, one unit each: healthy ones are not
 *    slowed (H21);
 * I3 a record that can't be read now holds back its key; its partition is tried again, others flow.
 */
import { HEADER, type Contracts, type SchemaRegistry } from '@aura/contracts';
import type { Batch, LogRecord, Position, TopicPartition } from '@aura/event-log';
import type { Logger } from '@aura/platform';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import type { LetterLimits } from '../letters/letter-limits.js';
import type { LettersFullError } from '../letters/letters-full-error.js';
import { Deliveries } from './deliveries.js';
import { isRefused, type Delivery } from './delivery.js';
import { GroupPausedError } from './group-pause.js';
import { finishByHalves, Progress } from './halving.js';
import type { Handlers } from './handlers.js';
import type { MassPause } from './mass-pause.js';
import type { ConsumerMetrics } from './metrics.js';
import { noteStart, StaleOwnerError, takeBackStart, type OwnedPosition } from './offsets.js';
import { keyOf, type Ownership } from './ownership.js';
import { readRecords, refuseUnread, SchemaAwayError } from './reading.js';
import { EndedProcessError, sizeAt, type NotedStart } from './slow-start.js';
import { transact } from './transact.js';

export interface ArrivalsOptions {
  readonly group: string;
  readonly registry: Pick<SchemaRegistry, 'schemaById'>;
  readonly contracts: Contracts;
  readonly handlers: Handlers;
  readonly units: UnitOfWorkContext;
  readonly logger: Logger;
  readonly metrics: ConsumerMetrics;
  readonly ownership: Ownership;
  readonly massPause: MassPause;
  readonly letters?: LetterLimits | undefined;
  readonly onParked?: (() => void) | undefined;
  readonly backoff: { readonly initialBackoffMs: number; readonly maxBackoffMs: number };
  /** An event that began this often, and ended its process each time but the last, is parked. */
  readonly maxStarts: number;
  /** Undefined: a unit went through. */
  onOutcome(error: unknown): void;
  /** These stand still from now on. */
  onStandstill(error: Error, positions: readonly OwnedPosition[]): void;
}

/** One call: the epochs that it runs under, and how far each partition has come. */
interface Call {
  readonly epochs: ReadonlyMap<string, bigint>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export class Arrivals {
  constructor(private readonly options: ArrivalsOptions) {}

  /** Where each partition stands afterwards. `batches`: of partitions that are held under `epochs`. */
  async handle(
    batches: readonly Batch[],
    epochs: ReadonlyMap<string, bigint>,
    signal: AbortSignal,
  ): Promise<readonly Position[]> {
    const { ownership } = this.options;
    ownership.fetched(batches);
    const cut = batches.map((batch) => this.#cut(batch));
    const call: Call = { epochs, progress: new Progress(cut), signal };
    const isSlow = (batch: Batch): boolean => ownership.slowStartOf(batch) !== undefined;
    const healthy = this.#drop(
      cut.filter((batch) => !isSlow(batch)),
      call,
    );
    await this.#finish(healthy, call);
    for (const batch of cut.filter(isSlow)) if (!signal.aborted) await this.#carefully(batch, call); // I2
    const positions = call.progress.positions();
    ownership.reached(positions.map((position) => ownedUnder(position, epochs)));
    return positions;
  }

  /** I2. A careful partition gets one unit per call. */
  #cut(batch: Batch): Batch {
    const slow = this.options.ownership.slowStartOf(batch);
    const [first] = batch.records;
    if (!slow || !first) return batch;
    return { ...batch, records: batch.records.slice(0, sizeAt(slow, first.offset)) };
  }

  /** I1. What some handler wants, in arrival order; the rest is finished. */
  #drop(batches: readonly Batch[], { progress }: Call): LogRecord[] {
    const { handlers, metrics } = this.options;
    const wanted: LogRecord[] = [];
    const skipped: LogRecord[] = [];
    for (const { records } of batches)
      for (const record of records) {
        const takers = handlers.of(record.headers[HEADER.type] ?? '', record.topic);
        (takers.length > 0 ? wanted : skipped).push(record);
      }
    progress.finish(skipped);
    metrics.skipped(skipped.length);
    return wanted;
  }

  async #finish(wanted: readonly LogRecord[], call: Call): Promise<void> {
    if (wanted.length === 0) return;
    const { options } = this;
    const { deliveries, putOff } = await readRecords(options, wanted, options.units.clock.now());
    if (!call.signal.aborted) await this.#attempt(this.#concerning(deliveries, call), call);
    // I3. Each partition once, with what its first record waits for.
    const waiting = new Map(
      putOff.toReversed().map(({ record, error }) => [keyOf(record), { record, error }]),
    );
    for (const { record, error } of waiting.values()) {
      options.onOutcome(error);
      if (error instanceof Error)
        options.onStandstill(new SchemaAwayError(record, error), [ownedUnder(record, call.epochs)]);
    }
  }

  /** I1. Of what could be read. */
  #concerning(deliveries: readonly Delivery[], { progress }: Call): readonly Delivery[] {
    const { handlers, metrics } = this.options;
    const skipped = deliveries.filter((each) => !isRefused(each) && !handlers.concerns(each.event));
    if (skipped.length === 0) return deliveries;
    progress.finish(skipped.map(({ record }) => record));
    metrics.skipped(skipped.length);
    const others = new Set(skipped);
    return deliveries.filter((each) => !others.has(each));
  }

  /** One unit of one partition, noted before it begins (H21, H49). */
  async #carefully(batch: Batch, call: Call): Promise<void> {
    const { ownership, group, units } = this.options;
    const wanted = this.#drop([batch], call);
    const [first] = wanted;
    const last = wanted.at(-1);
    const [begin] = batch.records;
    if (!begin) return;
    if (first && last) {
      const at = ownedUnder(first, call.epochs);
      const start: NotedStart = { offset: first.offset, until: last.offset + 1n };
      try {
        const times = await transact(units, `the start of a unit of ${group}`, (client) =>
          noteStart(client, group, at, start),
        );
        await this.#begin(wanted, times, call);
      } catch (error) {
        if (!(error instanceof StaleOwnerError)) throw error;
        this.options.onStandstill(error, [at]);
      }
      if (this.#reached(batch, call) < start.until) return this.#takeBack(at, start);
    }
    const reached = { ...begin, offset: this.#reached(batch, call) };
    ownership.passed(ownedUnder(reached, call.epochs), begin.offset);
  }

  async #begin(wanted: readonly LogRecord[], times: number, call: Call): Promise<void> {
    const { maxStarts, units } = this.options;
    const [record] = wanted;
    if (!record || wanted.length > 1 || times < maxStarts) return this.#finish(wanted, call);
    const place = `${record.topic}/${record.partition} at ${record.offset}`;
    const refusal = new EndedProcessError(place, times - 1);
    await this.#attempt([refuseUnread(record, refusal, units.clock.now())], call);
  }

  /** This process lives: the next owner must not count this start. */
  async #takeBack(at: TopicPartition, start: NotedStart): Promise<void> {
    const { group, units, logger } = this.options;
    await transact(units, `a start of ${group} that did not end its process`, (client) =>
      takeBackStart(client, group, at, start),
    ).catch((err: unknown) => {
      logger.warn({ err, group, ...at }, 'consumer: a start is counted although its process lives');
    });
  }

  #reached({ topic, partition }: TopicPartition, { progress }: Call): bigint {
    const position = progress.positions().find((p) => p.topic === topic && p.partition === partition);
    return position?.offset ?? -1n;
  }

  #attempt(deliveries: readonly Delivery[], { epochs, progress, signal }: Call): Promise<void> {
    const { options } = this;
    const { ownership, massPause } = options;
    const context = {
      ...options,
      owned: (position: Position) => ownedUnder(position, epochs),
      onSaved: ownership.saved.bind(ownership),
      onOutcome: (error: unknown) => options.onOutcome(error),
      onSeen: (lanes: readonly string[]) => massPause.seen(lanes),
      beforeParking: massPause.beforeParking.bind(massPause),
      onStandstill: (error: StaleOwnerError | LettersFullError | GroupPausedError) => {
        const still = error instanceof GroupPausedError ? ownership.assigned() : error.partitions;
        options.onStandstill(
          error,
          still.map((partition) => ownedUnder({ ...partition, offset: 0n }, epochs)),
        );
      },
    };
    return finishByHalves(deliveries, new Deliveries(context, progress, signal));
  }
}

/** A position under the epoch that its unit runs under; none is 0: nothing is saved for it. */
function ownedUnder(
  { topic, partition, offset }: Position,
  epochs: ReadonlyMap<string, bigint>,
): OwnedPosition {
  return { topic, partition, offset, epoch: epochs.get(keyOf({ topic, partition })) ?? 0n };
}
