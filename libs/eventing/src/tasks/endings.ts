/** The transactions that end tasks (T2), alone or together (T5). */
import { asError, GroupCommit, InvariantError, kindOf } from '@aura/platform';
import { context, type Context } from '@opentelemetry/api';
import { UnitOfWork, type UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { workWith, type Cause, type Work } from '../unit-of-work/work.js';
import type { EndedTask, SetTaskHandler, Task, TaskEnding } from './task.js';
import { removeTasks } from './task-store.js';

/** Another attempt owns the task now: this one's work is dropped. */
export class LostTaskError extends Error {}

/** An attempt whose slow part is over. */
export interface Ending {
  readonly task: Task;
  /** T2. Whose the task is. */
  readonly token: number;
  /** `traceparent` and `tracestate` of what scheduled it. */
  readonly trace: Readonly<Record<string, string>>;
}

interface Ready extends Ending {
  readonly result: unknown;
  readonly within: Context;
}

export class Endings {
  readonly #groups = new Map<SetTaskHandler, GroupCommit<Ready, void>>();

  constructor(private readonly units: UnitOfWorkContext) {}

  /** Rejects with `LostTaskError`, or with what kept it from being committed. */
  async alone(ending: Ending, end: TaskEnding): Promise<void> {
    const { task } = ending;
    await this.#transaction([ending], `the ending of task ${task.kind} ${task.id}`, (_, unit) =>
      end(unit.work(causeOf(ending))),
    );
  }

  /** T5. As `alone`. */
  together(handler: SetTaskHandler, ending: Ending, result: unknown): Promise<void> {
    let group = this.#groups.get(handler);
    if (!group) {
      group = new GroupCommit((ready) => this.#endAll(handler, ready));
      this.#groups.set(handler, group);
    }
    return group.add({ ...ending, result, within: context.active() });
  }

  async #endAll(handler: SetTaskHandler, ready: readonly Ready[]): Promise<(void | Error)[]> {
    const who = `the endings of ${ready.length} tasks ${handler.kind}`;
    try {
      return await this.#transaction(ready, who, (owned, unit) => {
        const [first] = owned;
        if (!first) return Promise.resolve();
        const shared = sharedWork(unit.work(causeOf(first)), handler.kind);
        return handler.endAll(
          owned.map((each) => endedOf(each, unit)),
          shared,
        );
      });
    } catch (error) {
      // Of what passes nobody knows whether it was committed; else whose fault it was is found one by one.
      if (ready.length === 1 || kindOf(error) === 'transient') throw error;
      const outcomes: (void | Error)[] = [];
      for (const one of ready)
        outcomes.push(...(await this.#endAll(handler, [one]).catch((own: unknown) => [asError(own)])));
      return outcomes;
    }
  }

  /** T2. `end` is given those that are still ours; the others are lost, whatever becomes of these. */
  async #transaction<E extends Ending>(
    endings: readonly E[],
    who: string,
    end: (owned: readonly E[], unit: UnitOfWork) => Promise<void>,
  ): Promise<(void | Error)[]> {
    const unit = await UnitOfWork.begin(this.units);
    try {
      const tokens = endings.map(({ task, token }) => ({ id: task.id, attempt: token }));
      const removed = await removeTasks(unit.client, tokens);
      const owned = endings.filter(({ task }) => removed.has(task.id));
      if (endings.length === 1 && owned.length === 0) throw new LostTaskError();
      await end(owned, unit);
      await unit.commit(who);
      return endings.map(({ task }) => (removed.has(task.id) ? undefined : new LostTaskError()));
    } catch (error) {
      await unit.rollback();
      throw error;
    }
  }
}

function causeOf({ task, trace }: Ending): Cause {
  const { id: taskId, correlationId, causationId } = task;
  return { kind: 'task', taskId, correlationId, causationId, trace };
}

function endedOf(ready: Ready, unit: UnitOfWork): EndedTask {
  const { task, result } = ready;
  const within = <T>(fn: () => T): T => context.with(ready.within, fn);
  const work = workWith(unit.work(causeOf(ready)), (inner) => ({
    raise: (event, options) => within(() => inner.raise(event, options)),
    schedule: (wanted) => within(() => inner.schedule(wanted)),
  }));
  return { task, result, work, within };
}

function sharedWork(work: Work, kind: string): Work {
  const unnamed = (what: string): never => {
    const words = `the endings of tasks ${kind} ${what} without saying for which task: use its own work`;
    throw new InvariantError(words);
  };
  return workWith(work, () => ({
    raise: (event) => unnamed(`raised ${event.type.name}`),
    schedule: (task) => unnamed(`scheduled ${task.kind}`),
  }));
}
