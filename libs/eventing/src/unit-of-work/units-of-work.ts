import { UnitOfWork, type UnitOfWorkContext } from './unit-of-work.js';
import { REQUEST, type Cause, type Work } from './work.js';

/**
 * Where a service's own code gets a unit of work: HTTP controllers, scripts, tests. Handlers and tasks are
 * given theirs.
 */
export class UnitsOfWork {
  constructor(readonly context: UnitOfWorkContext) {}

  /**
   * Runs `fn` in one transaction and commits it: rows and events together. When `fn` throws, all of it is
   * rolled back and the error goes on. Rejects with `UnknownOutcomeError` when the connection broke during
   * COMMIT: an idempotency key in the caller's own tables tells.
   */
  async run<T>(fn: (work: Work) => Promise<T>, cause: Cause = REQUEST, who = 'a unit of work'): Promise<T> {
    const unit = await UnitOfWork.begin(this.context);
    try {
      const result = await fn(unit.work(cause));
      await unit.commit(who);
      return result;
    } catch (error) {
      await unit.rollback();
      throw error;
    }
  }
}
