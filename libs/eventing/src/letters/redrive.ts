/**
 * Tries a parked key again: its letters go through the handlers in order, as a unit's events do.
 *
 * R3 one step is one transaction: it locks the mark, takes the first letters, calls the handlers, deletes
 *    these letters, and frees the key only when none is left under that lock. An arrival of the key either
 *    sees the mark and queues behind, or sees it gone (H3, E2);
 * R4 the inbox is not asked: these events are in it since they were parked. Only one that was parked under a
 *    stand-in id is remembered now, under its own; a copy that came through meanwhile makes it a duplicate;
 * R5 whoever is not named by the mark does nothing: a retry that was overtaken by an operator, or by another
 *    owner of its task;
 * R6 a failure counts against the event that failed alone, and only while the database answers (D2); with
 *    it the next attempt is scheduled, or the key is dead, in one transaction;
 * R7 a paused group makes no attempt, and burns none;
 * R8 an attempt that begins again and again without an end names the event that ends its process: such steps
 *    are of one letter each, and it is given up after `maxStarts`.
 */
import { newEventId, type EventEnvelope } from '@aura/contracts';
import { kindOf, TerminalError, type Logger } from '@aura/platform';
import { context, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Lane } from '../consumer/delivery.js';
import { findPause, GroupPausedError } from '../consumer/group-pause.js';
import { handleAll } from '../consumer/handling.js';
import { rememberNew } from '../consumer/inbox.js';
import { pause } from '../consumer/pause.js';
import { databaseAnswers, inUnit } from '../consumer/unit.js';
import { backoffMs } from '../tasks/task.js';
import { insertTasks } from '../tasks/task-store.js';
import type { UnitOfWork, UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { errorRecord } from './error-record.js';
import { letterLimits, type LetterLimits } from './letter-limits.js';
import { headsOf, queueOf } from './letter-list.js';
import { readLetters, type LetterReadingContext, type ReadLetter } from './letter-reading.js';
import { countLetters, failLetter, lockMark, removeLetters, setNextAttempt } from './letter-store.js';
import type { LetterMetrics } from './metrics.js';
import { stateAfter } from './parking.js';
import { redriveTask } from './redrive-task.js';
import { StepSize } from './step-size.js';

const tracer = trace.getTracer('@aura/eventing');
/** As often as a consumer tries a conflict, or a passing fault of one event, before it concludes more. */
const QUICK_RETRIES = 3;
const QUICK_BACKOFF = { initialBackoffMs: 20, maxBackoffMs: 200 };
/** While the database is away. */
const AWAY_BACKOFF = { initialBackoffMs: 100, maxBackoffMs: 10_000 };
/** Longest time until a group that was paused, or a log or registry that was away, is looked at again. */
const MAX_POSTPONED_MS = 60_000;

export interface RedriveContext extends LetterReadingContext {
  readonly group: string;
  readonly units: UnitOfWorkContext;
  readonly logger: Logger;
  readonly metrics: LetterMetrics;
  readonly limits?: LetterLimits | undefined;
}

/** One attempt of one key: the task that its mark names, and how often it was begun (1: the first time). */
export interface Attempt {
  readonly lane: Lane;
  readonly taskId: string;
  readonly starts: number;
}

/** 'over': free, or not this attempt's any more. */
type StepResult = 'over' | { readonly passed: number };

export class Redrive {
  readonly #limits: Required<LetterLimits>;

  constructor(private readonly options: RedriveContext) {
    this.#limits = letterLimits(options.limits);
  }

  /**
   * Resolves when the key is free, when its head has failed and its next attempt is in the database, or when
   * the key is no longer this attempt's. Waits while the database is away. Throws when `signal` is aborted;
   * an attempt may be run again at any time.
   */
  async run(attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { starts } = attempt;
    const { maxStarts, lettersPerStep } = this.#limits;
    const size = new StepSize(starts > 1 ? 1 : lettersPerStep); // R8
    const tries = new Tries(signal);
    for (;;) {
      signal.throwIfAborted();
      let piece: readonly ReadLetter[] = [];
      try {
        piece = await this.#read(attempt, size.next());
        const [head] = piece;
        if (head && starts > maxStarts) return await this.#fail(attempt, head, neverEnded(starts - 1));
        if (head?.content.kind === 'refused') return await this.#fail(attempt, head, head.content.refusal);
        const result = await this.#step(attempt, piece.filter(isReadable));
        if (result === 'over') return;
        size.passed(result.passed);
        tries.forget();
      } catch (error) {
        if (await this.#judge(attempt, piece.filter(isReadable), error, size, tries)) return;
      }
    }
  }

  /** True when this attempt is over. */
  async #judge(
    attempt: Attempt,
    piece: readonly ReadLetter[],
    error: unknown,
    size: StepSize,
    tries: Tries,
  ): Promise<boolean> {
    const { units, logger } = this.options;
    if (error instanceof GroupPausedError) return this.#postpone(attempt, error);
    const kind = kindOf(error);
    const [alone, ...others] = piece;
    if (kind === 'conflict' && (await tries.quickly())) return false;
    if ((kind === 'transient' || others.length === 0) && !(await databaseAnswers(units))) {
      logger.warn({ err: error, ...attempt.lane }, 'letters: a redrive waits for the database');
      await tries.later();
      return false;
    }
    if (!alone) {
      if (kind !== 'transient') throw error;
      return this.#postpone(attempt, error);
    }
    if (others.length > 0) {
      size.failed(piece.length);
      return false;
    }
    if (kind === 'transient' && (await tries.quickly())) return false;
    await this.#fail(attempt, alone, error);
    return true;
  }

  async #read({ lane }: Attempt, letters: number): Promise<ReadLetter[]> {
    const { units, group } = this.options;
    const queue = await inUnit(units, async ({ client }) => {
      const paused = await findPause(client, group);
      if (paused) throw new GroupPausedError(group, paused); // R7
      return queueOf(client, group, lane, letters);
    });
    return readLetters(this.options, lane, queue, units.clock.now());
  }

  /** R3. All of `piece`, or nothing of it. */
  async #step({ lane, taskId }: Attempt, piece: readonly ReadLetter[]): Promise<StepResult> {
    const { group, handlers, units, metrics } = this.options;
    const attributes = {
      'messaging.consumer.group.name': group,
      'messaging.batch.message_count': piece.length,
    };
    const span = tracer.startSpan('aura.redrive', { attributes });
    try {
      return await context.with(trace.setSpan(ROOT_CONTEXT, span), () =>
        inUnit(units, async (unit) => {
          const { client } = unit;
          if ((await lockMark(client, group, lane))?.taskId !== taskId) return 'over'; // R5
          const ids = piece.map(({ letter }) => letter.id);
          const heads = await headsOf(client, group, lane, ids.length);
          if (ids.some((id, i) => id !== heads[i])) return { passed: 0 }; // one was discarded: read again
          const events = await this.#unapplied(unit, piece);
          await handleAll(unit, events, handlers, group, span);
          const free = await removeLetters(client, group, lane, ids);
          await unit.commit(`a redrive of ${group}`, () => [countLetters(client, group, -ids.length)]);
          this.#tell(lane, piece, events.length);
          metrics.left('redriven', events.length);
          return free ? 'over' : { passed: ids.length };
        }),
      );
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  }

  /** R4. */
  async #unapplied({ client }: UnitOfWork, piece: readonly ReadLetter[]): Promise<EventEnvelope[]> {
    const wanted = piece.flatMap(({ letter, content }) =>
      content.kind === 'event'
        ? [{ event: content.event, standIn: content.event.id !== letter.eventId }]
        : [],
    );
    const renamed = wanted.filter(({ standIn }) => standIn).map(({ event }) => event.id);
    if (renamed.length === 0) return wanted.map(({ event }) => event);
    const fresh = await rememberNew(client, this.options.group, renamed);
    // A copy of one that was remembered just now is dropped with the others that were known.
    return wanted
      .filter(({ event, standIn }) => !standIn || fresh.delete(event.id))
      .map(({ event }) => event);
  }

  #tell(lane: Lane, piece: readonly ReadLetter[], applied: number): void {
    const { logger, metrics, group } = this.options;
    const unwanted = piece.filter(({ content }) => content.kind === 'unwanted');
    metrics.left('unwanted', unwanted.length);
    metrics.left('duplicate', piece.length - unwanted.length - applied);
    for (const { letter } of unwanted)
      logger.warn(
        { ...lane, eventId: letter.eventId, type: letter.type },
        'letters: no handler takes this type any more, its event was dropped from the queue',
      );
    logger.info({ ...lane, group, applied }, 'letters: events of a parked key went through');
  }

  /** R6. */
  async #fail({ lane, taskId }: Attempt, head: ReadLetter, thrown: unknown): Promise<void> {
    const { group, units, logger, metrics } = this.options;
    const { maxAttempts } = this.#limits;
    const attempts = head.letter.attempts + 1;
    const dead = stateAfter(thrown) === 'dead' || attempts >= maxAttempts;
    const done = await inUnit(units, async (unit) => {
      const { client } = unit;
      if ((await lockMark(client, group, lane))?.taskId !== taskId) return false; // R5
      const [first] = await headsOf(client, group, lane, 1);
      if (first !== head.letter.id) return false;
      await failLetter(client, first, attempts, errorRecord(thrown));
      const next = dead ? undefined : this.#nextTask(lane, head, attempts, unit.now);
      await setNextAttempt(client, group, lane, next?.id);
      if (next) await insertTasks(client, [next]);
      await unit.commit(`a failed redrive of ${group}`);
      return true;
    });
    if (!done) return;
    metrics.attemptFailed();
    const fields = { err: thrown, ...lane, eventId: head.letter.eventId, attempts };
    if (dead)
      logger.error(
        fields,
        'letters: a key is given up and waits for an operator: mend what fails, then ' +
          '`npm run aura -- dead-letters redrive`',
      );
    else {
      units.onCommitted({ events: 0, tasks: 1 });
      logger.warn(fields, 'letters: an attempt failed, another will be made');
    }
  }

  #nextTask(lane: Lane, { letter: { headers } }: ReadLetter, failures: number, now: Date) {
    const afterMs = backoffMs(failures, Math.random(), this.#limits);
    return redriveTask({ ...lane, headers }, newEventId(now), new Date(now.getTime() + afterMs));
  }

  /** Log or registry are away, or the group is paused: later, and no attempt burns. */
  async #postpone({ lane, taskId }: Attempt, error: unknown): Promise<boolean> {
    const { group, units, logger } = this.options;
    await inUnit(units, async (unit) => {
      if ((await lockMark(unit.client, group, lane))?.taskId !== taskId) return;
      const maxBackoffMs = Math.min(this.#limits.maxBackoffMs, MAX_POSTPONED_MS);
      const afterMs = backoffMs(30, Math.random(), { ...this.#limits, maxBackoffMs });
      const next = redriveTask(lane, newEventId(unit.now), new Date(unit.now.getTime() + afterMs));
      await setNextAttempt(unit.client, group, lane, next.id);
      await insertTasks(unit.client, [next]);
      await unit.commit(`a postponed redrive of ${group}`);
    });
    units.onCommitted({ events: 0, tasks: 1 });
    logger.warn({ err: error, ...lane }, 'letters: no attempt can be made for now, one comes later');
    return true;
  }
}

/** What is tried again without any conclusion, since the last step that went through. */
class Tries {
  #quick = 0;
  #waits = 0;

  constructor(private readonly signal: AbortSignal) {}

  forget(): void {
    this.#quick = this.#waits = 0;
  }

  /** False when there were enough of them. */
  async quickly(): Promise<boolean> {
    if (this.#quick >= QUICK_RETRIES) return false;
    await pause(backoffMs(++this.#quick, Math.random(), QUICK_BACKOFF), this.signal);
    return true;
  }

  async later(): Promise<void> {
    await pause(backoffMs(++this.#waits, Math.random(), AWAY_BACKOFF), this.signal);
  }
}

function isReadable({ content }: ReadLetter): boolean {
  return content.kind !== 'refused';
}

function neverEnded(starts: number): Error {
  return new TerminalError(
    `its redrive was begun ${starts} times and never came to an end: handling this event seems to end the ` +
      'process',
  );
}
