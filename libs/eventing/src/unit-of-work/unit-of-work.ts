/**
 * U3 the buffers of raised events, tasks and hints follow savepoints (H17);
 * U4 it is flushed as the last statements before COMMIT, tasks first, the outbox last (E1);
 * U5 ids of what is raised while handling an event or a task are derived from it (H40), those of a request
 *    are random.
 * U6 once the flush has begun nothing is taken any more: an event raised by a promise that nobody awaited
 *    would be lost without a word (E1), its SQL would run in somebody else's transaction;
 */
import { derivedId, newEventId, type Contracts, type EventEnvelope, type NewEvent } from '@aura/contracts';
import { InvariantError, run, statement, traceHeaders, type Clock } from '@aura/platform';
import type { PoolClient } from 'pg';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { insertOutboxRows, type OutboxRow } from '../outbox/outbox.js';
import { insertTasks, type TaskRow } from '../tasks/task-store.js';
import { sendBegin } from './begin.js';
import { assertHealthy, commitTransaction, inOneWrite } from './commit.js';
import { Savepoint } from './savepoint.js';
import type { Cause, NewTask, RaisedEvent, RaiseOptions, ScheduledTask, Work } from './work.js';

const MAX_TASK_BYTES = 64 * 1024;
const MAX_RAISED = 10_000;

/** What a unit has committed. */
export interface Written {
  readonly events: number;
  readonly tasks: number;
  /** How long the one of its events that is most in a hurry may wait (ms). Absent: not at all. */
  readonly withinMs?: number;
}

/** What a unit of work needs of its service. */
export interface UnitOfWorkContext {
  readonly dataSource: DataSource;
  readonly contracts: Contracts;
  readonly clock: Clock;
  /** Called after a commit that wrote events (nudges the relay) or tasks (starts them). Must not throw. */
  onCommitted(written: Written): void;
  /**
   * Asked before a request raises an event: throws where no new work is taken (`OutboxFullError`). What
   * handlers and tasks raise is not asked for. Default: all is taken.
   */
  admit?(): void;
}

/**
 * One database transaction and what it wants to publish. Begin, hand out `work(cause)`, then `commit` or
 * `rollback`: each exactly once. Not for concurrent use: it is one connection. Statements that don't need
 * each other's answers are sent one behind the other (pg's `pipeline`): cursors and streams are refused.
 */
export class UnitOfWork {
  readonly #events: OutboxRow[] = [];
  readonly #tasks: TaskRow[] = [];
  readonly #hints: (() => void)[] = [];
  readonly #ordinals = new Map<string, number>();
  readonly now: Date;
  #savepoints = 0;
  #withinMs = Infinity;
  #closed = false;
  #done = false;

  private constructor(
    private readonly context: UnitOfWorkContext,
    private readonly runner: QueryRunner,
    /** For the platform's own statements on this transaction. */
    readonly client: PoolClient,
  ) {
    this.now = context.clock.now();
  }

  static async begin(context: UnitOfWorkContext): Promise<UnitOfWork> {
    const unit = await UnitOfWork.connect(context);
    try {
      await unit.beginWith(() => Promise.resolve());
      return unit;
    } catch (error) {
      await discard(unit.runner, error);
      throw error;
    }
  }

  /** A connection, and no transaction yet: `beginWith` comes first. */
  static async connect(context: UnitOfWorkContext): Promise<UnitOfWork> {
    const runner = context.dataSource.createQueryRunner();
    try {
      const client = (await runner.connect()) as PoolClient;
      pipelined(client, true);
      refuseNested(runner.manager);
      return new UnitOfWork(context, runner, client);
    } catch (error) {
      await discard(runner, error);
      throw error;
    }
  }

  /**
   * Begins the transaction, and sends what `first` sends in one write with it. That must be safe to run
   * alone, should the beginning fail by itself.
   */
  async beginWith<T>(first: () => Promise<T>): Promise<T> {
    (this.runner as { isTransactionActive: boolean }).isTransactionActive = true; // it went past TypeORM
    const { client } = this;
    const [, result] = await inOneWrite(client, () => Promise.all([sendBegin(client), first()]));
    return result;
  }

  get manager(): EntityManager {
    return this.runner.manager;
  }

  work(cause: Cause): Work {
    return {
      manager: this.manager,
      now: this.now,
      run: async (wanted, values) => {
        this.#assertOpen();
        return run(this.client, wanted, values);
      },
      raise: (event, options) => this.#raise(cause, event, options ?? {}),
      schedule: (task) => this.#schedule(cause, task),
      savepoint: (fn) => this.#savepoint(cause, fn),
      afterCommit: (hint) => {
        this.#assertOpen();
        this.#hints.push(hint);
      },
      lock: async (key) => {
        this.#assertOpen();
        await run(this.client, LOCK, [key]);
      },
    };
  }

  /**
   * Rejects with `SwallowedSqlError` naming `who`, when what ran last left the transaction failed. No round
   * trip.
   */
  assertHealthy(who: string): Promise<void> {
    return assertHealthy(this.client, who);
  }

  /** Undoes what `fn` wrote, raised and scheduled when it throws; the unit goes on. */
  async savepoint<T>(fn: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    const name = `aura_${++this.#savepoints}`;
    const events = this.#events.length;
    const tasks = this.#tasks.length;
    const hints = this.#hints.length;
    const ordinals = new Map(this.#ordinals);
    const savepoint = new Savepoint(this.client, name);
    try {
      const result = await fn();
      await assertHealthy(this.client, 'the function of a savepoint');
      savepoint.release();
      return result;
    } catch (error) {
      await savepoint.rollback();
      this.#events.length = events;
      this.#tasks.length = tasks;
      this.#hints.length = hints;
      this.#ordinals.clear();
      for (const [cause, ordinal] of ordinals) this.#ordinals.set(cause, ordinal);
      throw error;
    }
  }

  /**
   * Flushes and commits, in one write. `last`: sends the caller's own last statements (offsets), ahead of the
   * outbox; one that must keep the unit from being committed has to fail in SQL (U7).
   */
  async commit(who: string, last?: () => readonly Promise<unknown>[]): Promise<void> {
    await assertHealthy(this.client, who);
    this.#closed = true; // U6
    await commitTransaction(this.client, who, () => [
      ...(this.#tasks.length > 0 ? [insertTasks(this.client, this.#tasks)] : []),
      ...(last?.() ?? []),
      ...(this.#events.length > 0 ? [insertOutboxRows(this.client, this.#events)] : []), // U4
    ]);
    await this.#end();
    const [events, tasks] = [this.#events.length, this.#tasks.length];
    const hurry = events > 0 && this.#withinMs > 0 ? { withinMs: this.#withinMs } : {};
    if (events + tasks > 0) this.context.onCommitted({ events, tasks, ...hurry });
    for (const hint of this.#hints) hint();
  }

  /**
   * Gives the connection back, rolled back. Safe to call after a failed `commit`; never throws. Resolves to
   * false when the connection was found broken: whatever error the caller holds is then the database's, not
   * that of who ran last.
   */
  async rollback(): Promise<boolean> {
    if (this.#done) return true;
    this.#closed = true;
    try {
      await this.client.query('ROLLBACK');
      await this.#end();
      return true;
    } catch (error) {
      // The connection is gone, and the transaction with it: the pool must not hand it out again.
      this.#done = true;
      await discard(this.runner, error);
      return false;
    }
  }

  async #end(): Promise<void> {
    this.#done = true;
    (this.runner as { isTransactionActive: boolean }).isTransactionActive = false; // COMMIT went past TypeORM
    pipelined(this.client, false);
    await this.runner.release();
  }

  /** U6. */
  #assertOpen(): void {
    if (this.#closed)
      throw new InvariantError(
        'this unit of work has ended: await everything that raises, schedules or writes',
      );
  }

  #raise(cause: Cause, event: NewEvent, options: RaiseOptions): RaisedEvent {
    this.#assertOpen();
    if (this.#events.length >= MAX_RAISED)
      throw new InvariantError(`one unit of work raised more than ${MAX_RAISED} events: split the work`);
    const by = options.cause && cause.kind === 'event' ? { ...cause, event: options.cause } : cause;
    if (by.kind === 'request') this.context.admit?.();
    const encoded = this.context.contracts.encode(event);
    const correlationId = options.correlationId ?? correlationOf(by);
    const causationId = causationOf(by);
    const row: OutboxRow = {
      eventId: this.#id(by, options.part === undefined ? '' : `/part:${options.part}`),
      topic: encoded.topic,
      key: encoded.key,
      type: encoded.type,
      fingerprint: encoded.fingerprint,
      body: encoded.body,
      headers: {
        ...traceOf(by),
        ...(correlationId ? { correlationid: correlationId } : {}),
        ...(causationId ? { causationid: causationId } : {}),
      },
    };
    this.#events.push(row);
    this.#withinMs = Math.min(this.#withinMs, options.withinMs ?? 0);
    return { id: row.eventId, type: row.type, key: row.key };
  }

  #schedule(cause: Cause, task: NewTask): ScheduledTask {
    this.#assertOpen();
    const by = task.cause && cause.kind === 'event' ? { ...cause, event: task.cause } : cause;
    const payload = JSON.stringify(task.payload);
    if (Buffer.byteLength(payload) > MAX_TASK_BYTES)
      throw new InvariantError(
        `task ${task.kind} of ${task.key}: its payload is over 64 KiB: pass a reference`,
      );
    const id = this.#id(by, '/task');
    this.#tasks.push({
      id,
      kind: task.kind,
      key: task.key,
      dueAt: task.dueAt ?? this.now,
      payload,
      correlationId: correlationOf(by),
      causationId: causationOf(by),
      trace: traceOf(by),
    });
    return { id };
  }

  #savepoint<T>(cause: Cause, fn: (work: Work) => Promise<T>): Promise<T> {
    return this.savepoint(() => fn(this.work(cause)));
  }

  /**
   * U5. Ordinals count per cause, and part of it, so that the events of one cause do not depend on what else
   * shares its unit.
   */
  #id(cause: Cause, purpose: '' | '/task' | `/part:${string}`): string {
    if (cause.kind === 'request') return newEventId(this.context.clock.now());
    const causeId = cause.kind === 'event' ? cause.event.id : cause.taskId;
    const group = (cause.kind === 'event' ? cause.group : 'task') + purpose;
    const counter = `${causeId} ${group}`;
    const ordinal = this.#ordinals.get(counter) ?? 0;
    this.#ordinals.set(counter, ordinal + 1);
    return derivedId({ causeId, group, ordinal });
  }
}

const LOCK = statement('work_lock', `select pg_advisory_xact_lock(hashtextextended('aura:' || $1, 0))`);

function correlationOf(cause: Cause): string | undefined {
  if (cause.kind === 'request') return undefined;
  return cause.kind === 'event' ? cause.event.correlationId : cause.correlationId;
}

function causationOf(cause: Cause): string | undefined {
  if (cause.kind === 'request') return undefined;
  return cause.kind === 'event' ? cause.event.id : cause.causationId;
}

/**
 * The active span where there is one; else what the cause carried, so that a trace survives a process
 * without an SDK.
 */
function traceOf(cause: Cause): Record<string, string> {
  const active = traceHeaders();
  if (active.traceparent) return { ...active };
  if (cause.kind === 'task') return { ...cause.trace };
  return cause.kind === 'event' ? traceIn(cause.event) : {};
}

function traceIn({ headers }: EventEnvelope): Record<string, string> {
  const { traceparent, tracestate } = headers;
  return { ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) };
}

/**
 * On this instance only: TypeORM would open a savepoint of its own, which the buffer of raised events does
 * not follow.
 */
function refuseNested(manager: EntityManager): void {
  manager.transaction = () =>
    Promise.reject(
      new InvariantError(
        'manager.transaction() inside a unit of work: use work.savepoint(...), which events follow',
      ),
    );
}

/** pg reads it at every statement; its types know it as a setting of a new client only. */
function pipelined(client: PoolClient, pipeline: boolean): void {
  (client as { pipeline?: boolean }).pipeline = pipeline;
}

/** TypeORM's `release` has no way to say that the connection is broken; its Postgres runner has. */
async function discard(runner: QueryRunner, error: unknown): Promise<void> {
  const postgres = runner as unknown as { releasePostgresConnection(error: unknown): Promise<void> };
  await postgres.releasePostgresConnection(error);
}
