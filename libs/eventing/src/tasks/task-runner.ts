/**
 * Durable tasks: one mechanism for what is slow or due later.
 *
 * T1 a task is claimed by lease, and its attempt counted with the claim: a crash burns an attempt, a dead
 *    owner's tasks go to whoever claims next, when the lease has run out;
 * T2 it ends in one transaction with its rows and events, and only for the attempt that owns it: a late
 *    owner's ending is rolled back whole;
 * T3 no poll while nothing is due: a commit of this process wakes the loop, else it sleeps until the next
 *    due time;
 * T4 a stop of the service has a bound, and the attempts that it ends do not count: deployments must not wear
 *    a long task out;
 * T5 of a set handler, those that are ready together end together: the transaction is shared, and where it
 *    fails each ends by itself.
 */
import { asError, kindOf, Loop, traceContext, TerminalError, type Logger, type Next } from '@aura/platform';
import { context, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Pool } from 'pg';
import { errorRecord } from '../letters/error-record.js';
import type { UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { Endings, LostTaskError, type Ending } from './endings.js';
import { backoffMs, type AnyTaskHandler, type Task } from './task.js';
import * as store from './task-store.js';

const DEFAULT_ATTEMPTS = 5;
const DEFAULT_CONCURRENCY = 4;
const tracer = trace.getTracer('@aura/eventing');

export interface TaskRunnerOptions {
  readonly handlers: readonly AnyTaskHandler[];
  readonly units: UnitOfWorkContext;
  readonly pool: Pool;
  readonly logger: Logger;
  /** A task whose owner has not renewed for this long belongs to nobody (ms). Default 15,000. */
  readonly leaseMs?: number;
  /** The longest sleep of the loop (ms): what another replica scheduled is seen by then. Default 5,000. */
  readonly idleMs?: number;
}

/** One attempt that this process has in hand. */
interface Attempt extends Ending {
  readonly abort: AbortController;
}

interface Running extends Attempt {
  readonly done: Promise<void>;
}

/** T4. Why a signal is aborted when the service stops. */
class StoppedError extends Error {}

/** Runs the tasks of one service in this process. Any number of replicas may run beside it. */
export class TaskRunner {
  readonly #handlers: Map<string, AnyTaskHandler>;
  readonly #endings: Endings;
  readonly #running = new Map<string, Running>();
  readonly #loop: Loop;
  readonly #renewals: Loop;
  readonly #leaseMs: number;
  /** T4. Attempts that did not end when they were told to; given up, they count no more. */
  readonly #givenUp = new Set<Attempt>();
  #started = false;

  constructor(private readonly options: TaskRunnerOptions) {
    this.#handlers = new Map(options.handlers.map((h) => [h.kind, h]));
    this.#endings = new Endings(options.units);
    this.#leaseMs = options.leaseMs ?? 15_000;
    const idleMs = options.idleMs ?? 5_000;
    const onError = (error: unknown): void =>
      options.logger.warn({ err: error }, 'tasks: round failed, trying again');
    this.#loop = new Loop({ name: 'tasks', idleMs, round: () => this.#claim(idleMs), onError });
    this.#renewals = new Loop({
      name: 'task leases',
      idleMs: this.#leaseMs / 3,
      round: () => this.#renew(),
      onError,
      backoff: { initialMs: 50, maxMs: this.#leaseMs / 6 },
    });
  }

  start(): void {
    this.#started = true;
    if (this.#handlers.size === 0) return;
    this.#loop.start();
    this.#renewals.start();
  }

  /** One more kind, from now on: for what can't be handled before the service has said how. */
  add(handler: AnyTaskHandler): void {
    this.#handlers.set(handler.kind, handler);
    if (!this.#started) return;
    this.start();
    this.#loop.nudge();
  }

  /** A commit of this process has scheduled tasks, or time has passed: look at once. */
  nudge(): void {
    this.#loop.nudge();
  }

  /** One look and everything it claimed, to the end. For tests. */
  async runOnce(): Promise<void> {
    await this.#loop.runOnce();
    await Promise.all([...this.#running.values()].map((r) => r.done));
  }

  /**
   * T4. Claims no more, waits `graceMs` for what runs, then aborts it and waits `abortMs` for its end. What
   * still runs then is given up: another takes it over when its lease has run out.
   */
  async stop(graceMs = 5_000, abortMs = 2_000): Promise<void> {
    await this.#loop.stop();
    const running = [...this.#running.values()];
    const done = Promise.all(running.map((r) => r.done));
    await within(graceMs, done);
    for (const { abort } of this.#running.values()) abort.abort(new StoppedError('the service stops'));
    await within(abortMs, done);
    await this.#renewals.stop();
    await Promise.all([...this.#running.values()].map((attempt) => this.#giveUp(attempt)));
  }

  async #giveUp(attempt: Attempt): Promise<void> {
    const { task, token } = attempt;
    const { pool, logger } = this.options;
    const fields = { taskId: task.id, kind: task.kind };
    this.#givenUp.add(attempt);
    logger.warn(fields, 'task: did not end when the service stopped; others may claim it after its lease');
    await store.releaseTask(pool, task.id, token, false).catch((error: unknown) => {
      logger.warn({ ...fields, err: error }, 'task: could not be given up, so its attempt counts');
    });
  }

  async #claim(idleMs: number): Promise<Next> {
    const slots = this.#freeSlots();
    if (slots.size > 0) {
      const claimed = await store.claimTasks(this.options.pool, slots, this.#leaseMs);
      for (const task of claimed) this.#begin(task);
    }
    const kinds = [...this.#freeSlots().keys()];
    if (kinds.length === 0) return { afterMs: idleMs }; // a slot that gets free nudges
    const next = await store.nextDueMs(this.options.pool, kinds, [...this.#running.keys()]);
    return { afterMs: Math.min(next ?? idleMs, idleMs) };
  }

  #freeSlots(): Map<string, number> {
    const busy = new Map<string, number>();
    for (const { task } of this.#running.values()) busy.set(task.kind, (busy.get(task.kind) ?? 0) + 1);
    const free = new Map<string, number>();
    for (const handler of this.#handlers.values()) {
      const slots = (handler.concurrency ?? DEFAULT_CONCURRENCY) - (busy.get(handler.kind) ?? 0);
      if (slots > 0) free.set(handler.kind, slots);
    }
    return free;
  }

  #begin(claimed: store.ClaimedTask): void {
    const handler = this.#handlers.get(claimed.kind);
    if (!handler) return;
    const task: Task = {
      id: claimed.id,
      kind: claimed.kind,
      key: claimed.key,
      attempt: claimed.attempt - claimed.uncounted,
      payload: claimed.payload,
      correlationId: claimed.correlation_id ?? undefined,
      causationId: claimed.causation_id ?? undefined,
    };
    const { attempt: token, trace: carried } = claimed;
    const attempt: Attempt = { task, token, trace: carried, abort: new AbortController() };
    const parent = traceContext(carried, ROOT_CONTEXT);
    const done = context
      .with(parent, () => this.#perform(handler, attempt))
      .catch((error: unknown) => {
        // The database is away, most likely: the lease runs out and the task is claimed again.
        this.options.logger.warn(
          { err: error, taskId: task.id, kind: task.kind },
          'task: could not be ended',
        );
      })
      .finally(() => {
        // A lost one may be in hand again here, as a later attempt.
        if (this.#running.get(task.id) === attempt) this.#running.delete(task.id);
        this.#loop.nudge();
      });
    this.#running.set(task.id, Object.assign(attempt, { done }));
  }

  #perform(handler: AnyTaskHandler, attempt: Attempt): Promise<void> {
    const { task } = attempt;
    const attributes = { 'aura.task.id': task.id, 'aura.task.attempt': task.attempt };
    return tracer.startActiveSpan(`task ${task.kind}`, { attributes }, async (span) => {
      try {
        await this.#attempt(handler, attempt);
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        if (error instanceof LostTaskError) {
          this.options.logger.warn(
            { taskId: task.id, kind: task.kind },
            'task: another attempt owns it, dropped',
          );
          return;
        }
        await this.#afterFailure(handler, attempt, error);
      } finally {
        span.end();
      }
    });
  }

  async #attempt(handler: AnyTaskHandler, attempt: Attempt): Promise<void> {
    const { task, abort } = attempt;
    // Twice as many claims as attempts: those that ended without a word killed their process, or died with
    // it.
    if (task.attempt > 2 * (handler.maxAttempts ?? DEFAULT_ATTEMPTS))
      throw new TerminalError(`task ${task.kind} ${task.id} did not end in ${task.attempt - 1} attempts`);
    if ('endAll' in handler)
      await this.#endings.together(handler, attempt, await handler.run(task, abort.signal));
    else await this.#endings.alone(attempt, await handler.run(task, abort.signal));
  }

  async #afterFailure(handler: AnyTaskHandler, attempt: Attempt, thrown: unknown): Promise<void> {
    const { task, token, abort } = attempt;
    const error = asError(thrown);
    const { pool, logger } = this.options;
    if (this.#givenUp.has(attempt)) return;
    if (abort.signal.reason instanceof StoppedError) {
      await store.releaseTask(pool, task.id, token, true);
      logger.info({ taskId: task.id, kind: task.kind }, 'task: stopped with the service, due again');
      return;
    }
    const fields = { err: error, taskId: task.id, kind: task.kind, key: task.key, attempt: task.attempt };
    const { maxAttempts = DEFAULT_ATTEMPTS } = handler;
    const hopeless = kindOf(error) === 'terminal' && maxAttempts !== Infinity;
    if (!hopeless && task.attempt < maxAttempts) {
      const afterMs = backoffMs(task.attempt, Math.random(), handler);
      await store.retryTask(pool, task.id, token, afterMs, errorRecord(error));
      logger.warn({ ...fields, afterMs }, 'task: attempt failed, will be tried again');
      return;
    }
    logger.error(fields, 'task: failed for good');
    if (!handler.failed) return store.failTask(pool, task.id, token, errorRecord(error));
    try {
      await this.#endings.alone(attempt, handler.failed(task, error));
    } catch (second) {
      if (second instanceof LostTaskError) return;
      logger.error({ ...fields, err: second }, 'task: its failure could not be told; it stays in sight');
      await store.failTask(pool, task.id, token, errorRecord(error));
    }
  }

  async #renew(): Promise<Next> {
    const mine = [...this.#running].map(([id, { token }]) => ({ id, attempt: token }));
    if (mine.length === 0) return 'wait';
    const kept = await store.renewLeases(this.options.pool, mine, this.#leaseMs);
    for (const { id, attempt } of mine) {
      const running = this.#running.get(id);
      if (!kept.has(id) && running?.token === attempt) running.abort.abort(new LostTaskError());
    }
    return 'wait';
  }
}

/** Resolves with `work`, or after `ms`. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
