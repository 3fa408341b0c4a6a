import type { EventEnvelope, NewEvent } from '@aura/contracts';
import type { Statement } from '@aura/platform';
import type { QueryResultRow } from 'pg';
import type { EntityManager } from 'typeorm';

/**
 * What a handler, a request or a task gets: one database transaction, visibly.
 *
 * Guarantees: rows, events and tasks of one `Work` are committed together or not at all (E1). Events leave
 * in the order in which they were raised. Nothing is written to the outbox before the last statement of the
 * transaction. Limits: keep it short and local. What is slow or calls somebody outside is a task. No cursors
 * and no streams: statements go in a pipeline (docs/adr/0018).
 */
export interface Work {
  /** TypeORM's manager on this transaction. Its `transaction()` is refused: use `savepoint`. */
  readonly manager: EntityManager;
  /** Runs a named statement in this transaction: prepared once per connection, for set-based and hot SQL. */
  run<R extends QueryResultRow>(statement: Statement, values?: unknown[]): Promise<R[]>;
  /** When this unit began, by this process's clock: the one `now` of everything in it. */
  readonly now: Date;
  /**
   * Raises an event: encoded and checked at once, written with the commit. Throws `InvalidPayloadError`
   * with the field's path, or `EventTooLargeError`, or, for a person's request, `OutboxFullError` while too
   * much waits to be published; nothing has been written then and the transaction can go on.
   */
  raise(event: NewEvent, options?: RaiseOptions): RaisedEvent;
  /** Wants `kind` done later, or right after the commit, by the handler of that kind; see tasks.ts. */
  schedule(task: NewTask): ScheduledTask;
  /**
   * Runs `fn` in a savepoint: when it throws, its rows, events and tasks are undone (H17), and the error
   * goes on.
   */
  savepoint<T>(fn: (work: Work) => Promise<T>): Promise<T>;
  /**
   * Calls `hint` once the unit has committed: to wake a waiting request, for nothing that matters. It is
   * not called when the process dies in between, nor in another replica. Must not throw.
   */
  afterCommit(hint: () => void): void;
  /**
   * Serialises units of work of one key, until the end of the transaction (E2). Take locks in sorted order.
   */
  lock(key: string): Promise<void>;
}

export interface RaiseOptions {
  /** A set-based handler names the event that caused this one; its own event's cause is known otherwise. */
  readonly cause?: EventEnvelope;
  /** Ties events of one saga or workflow together; inherited from the cause where not given. */
  readonly correlationId?: string;
  /**
   * Where one event causes events about many things: which of them this one is about. Its id depends on
   * cause and part, whatever else that cause leads to (H40).
   */
  readonly part?: string;
  /**
   * For an event that nobody waits for: it may leave so long after its commit (ms), in company of what is
   * raised next. It may leave earlier. Default 0: at once.
   */
  readonly withinMs?: number;
}

export interface RaisedEvent {
  /** UUIDv7: random for a person's request, derived from the cause otherwise (H40). */
  readonly id: string;
  readonly type: string;
  readonly key: string;
}

export interface NewTask {
  readonly kind: string;
  /** What the task is about; shown to operators. Tasks of one key may run side by side. */
  readonly key: string;
  /** JSON; references, no personal data. At most 64 KiB. */
  readonly payload: object;
  /** Default: at once. */
  readonly dueAt?: Date;
  /** As `RaiseOptions.cause`. */
  readonly cause?: EventEnvelope;
}

export interface ScheduledTask {
  /**
   * Use it as idempotency key outside: the same whatever the attempt, and when the cause is handled again.
   */
  readonly id: string;
}

/** Why a unit of work runs: decides the ids and the headers of what it raises. */
export type Cause =
  | { readonly kind: 'request' }
  | { readonly kind: 'event'; readonly event: EventEnvelope; readonly group: string }
  | {
      readonly kind: 'task';
      readonly taskId: string;
      readonly correlationId: string | undefined;
      readonly causationId: string | undefined;
      /** `traceparent` and `tracestate` of what scheduled it. */
      readonly trace: Readonly<Record<string, string>>;
    };

export const REQUEST: Cause = { kind: 'request' };

/** `work` with other ways to raise and to schedule, within its savepoints too. */
export function workWith(work: Work, ways: (inner: Work) => Pick<Work, 'raise' | 'schedule'>): Work {
  return {
    manager: work.manager,
    now: work.now,
    run: (statement, values) => work.run(statement, values),
    lock: (key) => work.lock(key),
    afterCommit: (hint) => work.afterCommit(hint),
    savepoint: (fn) => work.savepoint((inner) => fn(workWith(inner, ways))),
    ...ways(work),
  };
}
