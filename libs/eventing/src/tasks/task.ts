import type { Work } from '../unit-of-work/work.js';

/** A task as its handler gets it. */
export interface Task<P extends object = object> {
  /** The same for every attempt: the idempotency key of whatever it does outside. */
  readonly id: string;
  readonly kind: string;
  readonly key: string;
  /**
   * 1 for the first. Counted when it is claimed: a crash burns an attempt, so a task that kills its process
   * ends. One that a stop of the service ended does not count.
   */
  readonly attempt: number;
  readonly payload: P;
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
}

/** What ends a task: its rows and events, in the one transaction that removes it. */
export type TaskEnding = (work: Work) => Promise<void>;

/** How tasks of a kind are tried. */
export interface TaskPolicy<P extends object = object> {
  readonly kind: string;
  /** The ending of a task that failed for good. Without it the task stays in sight with its error. */
  failed?(task: Task<P>, error: Error): TaskEnding;
  /** Default 5. `Infinity`: it is tried again for ever, whatever it throws; `failed` is never called. */
  readonly maxAttempts?: number;
  /** How many of this kind run side by side in this process. Default 4. */
  readonly concurrency?: number;
  /**
   * Before the second attempt at most this long (ms), doubling up to `maxBackoffMs`; full jitter. Default
   * 200.
   */
  readonly initialBackoffMs?: number;
  /** Default 60,000. */
  readonly maxBackoffMs?: number;
}

/**
 * Does what is slow or outside, apart from any transaction, and says how it ends.
 *
 * Guarantees: an ending takes effect once (T2). Limits: `run` may happen twice, also side by side (an owner
 * that lost its lease): make it harmless, or use the task's id as idempotency key.
 */
export interface TaskHandler<P extends object = object> extends TaskPolicy<P> {
  /**
   * The slow part. `signal` is aborted when the lease is lost or the service stops. A `TerminalError` fails
   * the task at once; any other error is tried again with back-off until `maxAttempts`.
   */
  run(task: Task<P>, signal: AbortSignal): Promise<TaskEnding>;
}

/** A task whose slow part is over, with what that gave. */
export interface EndedTask<P extends object = object, R = unknown> {
  readonly task: Task<P>;
  readonly result: R;
  /** What is raised and scheduled through it is this task's, in its trace; on the transaction of all. */
  readonly work: Work;
  /** Runs `fn` in the trace of this task. */
  within<T>(fn: () => T): T;
}

/**
 * A hot kind: those whose slow parts are over while a transaction is under way end together in the next one
 * (T5). Guarantees and limits of `TaskHandler`.
 */
export interface SetTaskHandler<P extends object = object, R = unknown> extends TaskPolicy<P> {
  /** As that of a `TaskHandler`; resolves to what its ending needs. */
  run(task: Task<P>, signal: AbortSignal): Promise<R>;
  /**
   * Ends them all, in the transaction that removes them. Set-based; rows are locked in sorted order, or two
   * replicas can deadlock. Where it throws, nothing of it stays, and it is called for each by itself.
   * `work`: what they share; it neither raises nor schedules.
   */
  endAll(ended: readonly EndedTask<P, R>[], work: Work): Promise<void>;
}

export type AnyTaskHandler = TaskHandler | SetTaskHandler;

/**
 * Full jitter (AWS architecture blog, 2015): a uniform draw below the exponential cap. `random` in [0, 1).
 */
export function backoffMs(
  attempt: number,
  random: number,
  { initialBackoffMs = 200, maxBackoffMs = 60_000 }: Pick<TaskPolicy, 'initialBackoffMs' | 'maxBackoffMs'>,
): number {
  return Math.ceil(random * Math.min(maxBackoffMs, initialBackoffMs * 2 ** Math.min(attempt - 1, 30)));
}
