/**
 * Takes the deliveries of one call of the log through units until each is applied or parked.
 *
 * D1 a unit that fails is taken apart until the failing event stands alone (halving.ts); then its key is
 *    parked (E6);
 * D2 nothing is parked while the database does not answer, nor for a conflict or a passing fault at the
 *    first try, nor while a handler can't take anything (`HoldError`): wait with capped back-off and full
 *    jitter, and do it again (E5);
 * D3 a stale epoch ends everything at once: these records are another owner's;
 * D4 so does what holds partitions back (no room for letters, a paused group): nothing is parked, positions
 *    stay.
 */
import type { Position } from '@aura/event-log';
import { kindOf, type Logger } from '@aura/platform';
import { backoffMs } from '../tasks/task.js';
import { LettersFullError } from '../letters/letters-full-error.js';
import { isRefused, lanesOf, laneKey, type Delivery, type RefusedDelivery } from './delivery.js';
import { GroupPausedError } from './group-pause.js';
import { HoldError } from './hold-error.js';
import type { Piecework, Progress, Verdict } from './halving.js';
import type { ConsumerMetrics } from './metrics.js';
import { StaleOwnerError, type OwnedPosition } from './offsets.js';
import { pause } from './pause.js';
import { isSpared } from './sparing.js';
import { databaseAnswers, runUnit, type UnitContext } from './unit.js';

/**
 * How often a conflict, or a passing fault of an event that stands alone, is tried again before more is
 * concluded.
 */
const QUICK_RETRIES = 3;
const QUICK_BACKOFF = { initialBackoffMs: 20, maxBackoffMs: 200 };

export interface DeliveriesContext extends UnitContext {
  readonly logger: Logger;
  readonly metrics: ConsumerMetrics;
  /** Back-off while the database is away (ms). */
  readonly backoff: { readonly initialBackoffMs: number; readonly maxBackoffMs: number };
  /** The epoch under which a partition is ours in this call. */
  owned(position: Position): OwnedPosition;
  /** Undefined: a unit went through. */
  onOutcome(error: unknown): void;
  /** D3, D4. */
  onStandstill(error: StaleOwnerError | LettersFullError | GroupPausedError): void;
  /** Keys of a unit that went through (H22). */
  onSeen(lanes: readonly string[]): void;
  /** Rejects with `GroupPausedError` where these must not be parked: too many keys fail (H22). */
  beforeParking(refused: readonly RefusedDelivery[]): Promise<void>;
  onSaved(positions: readonly OwnedPosition[]): void;
}

export class Deliveries implements Piecework<Delivery> {
  /** Failures of the piece at hand that were answered by trying it again. */
  #quick = 0;
  #waits = 0;

  constructor(
    private readonly context: DeliveriesContext,
    private readonly progress: Progress,
    private readonly signal: AbortSignal,
  ) {}

  async attempt(piece: readonly Delivery[]): Promise<void> {
    const records = piece.map(({ record }) => record);
    const positions = this.progress.after(records).map((position) => this.context.owned(position));
    const refused = piece.filter(isRefused).filter((each) => !isSpared(each, this.context.handlers));
    if (refused.length > 0) await this.context.beforeParking(refused);
    const begun = performance.now();
    const outcome = await runUnit(this.context, piece, positions);
    this.context.metrics.unit(outcome, (performance.now() - begun) / 1_000);
    this.progress.finish(records);
    this.#quick = this.#waits = 0;
    this.context.onSaved(positions);
    this.context.onSeen(lanesOf(piece).map(laneKey));
    this.context.onOutcome(undefined);
  }

  async judge(piece: readonly Delivery[], error: unknown): Promise<Verdict> {
    const { context, signal } = this;
    context.metrics.failed();
    context.onOutcome(error);
    if (isStandstill(error)) {
      context.onStandstill(error); // D3, D4
      return 'stop';
    }
    if (signal.aborted) return 'stop';
    if (error instanceof HoldError) return this.#later(error); // D2
    const kind = kindOf(error);
    const alone = piece.length === 1;
    if (kind === 'conflict' && this.#quick < QUICK_RETRIES) return this.#quickly();
    if ((kind === 'transient' || alone) && !(await databaseAnswers(context.units))) return this.#later(error);
    if (kind === 'transient' && alone && this.#quick < QUICK_RETRIES) return this.#quickly();
    // What could not even be parked: no other way is left, and dropping it is none (E5).
    if (alone && piece.every(isRefused)) return this.#later(error);
    this.#quick = this.#waits = 0;
    return 'apart';
  }

  /** D1. */
  refuse(delivery: Delivery, error: unknown): Delivery {
    const { record, id } = delivery;
    const event = isRefused(delivery) ? {} : { event: delivery.event };
    const refused: RefusedDelivery = { record, id, refusal: error, ...event };
    const spared = isSpared(refused, this.context.handlers);
    this.context.logger.error(
      {
        err: error,
        eventId: id,
        topic: record.topic,
        partition: record.partition,
        offset: `${record.offset}`,
      },
      spared
        ? 'consumer: an event failed; its handlers are told, nothing waits behind it'
        : 'consumer: an event failed; it is parked with its key, others go on',
    );
    return refused;
  }

  async #quickly(): Promise<Verdict> {
    this.#quick++;
    await pause(backoffMs(this.#quick, Math.random(), QUICK_BACKOFF), this.signal);
    return 'again';
  }

  /** D2. */
  async #later(error: unknown): Promise<Verdict> {
    this.#waits++;
    const afterMs = backoffMs(this.#waits, Math.random(), this.context.backoff);
    this.context.logger.warn({ err: error, afterMs }, 'consumer: a unit has to wait, nothing is parked');
    await pause(afterMs, this.signal);
    return this.signal.aborted ? 'stop' : 'again';
  }
}

function isStandstill(error: unknown): error is StaleOwnerError | LettersFullError | GroupPausedError {
  return (
    error instanceof StaleOwnerError || error instanceof LettersFullError || error instanceof GroupPausedError
  );
}
