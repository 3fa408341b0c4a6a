import type { UnitsOfWork } from '@aura/eventing';
import { Loop, type Clock, type Logger, type Next, type Queryable } from '@aura/platform';
import { assertRecalled } from './amnesia-store.js';
import { taskCause } from '../cause.js';
import type { Coordinator } from './coordinator.js';
import { UNKNOWN } from './saga-state.js';
import { claimDue, nextWake, rewake } from './store.js';

/** Those that were restored from a decision alone. */
const UNKNOWN_LABEL = `${UNKNOWN} v0`;
/** Most sagas of one look. */
const AT_ONCE = 500;
/** What another replica started is seen by then (ms). */
const IDLE_MS = 5_000;

export interface TimersOptions {
  readonly coordinator: Coordinator;
  readonly units: UnitsOfWork;
  readonly db: Queryable;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Deadlines and attention: looks at the sagas whose time has come, many at once; sleeps until the next one.
 * Any number of replicas may run beside it: each takes what no other has in hand.
 */
export class Timers {
  readonly #loop: Loop;
  /** When the loop will look by itself (ms since 1970). */
  #planned = 0;

  constructor(private readonly options: TimersOptions) {
    this.#loop = new Loop({
      name: 'saga timers',
      idleMs: IDLE_MS,
      round: () => this.#look(),
      onError: (error) => options.logger.warn({ err: error }, 'sagas: timers could not be looked at'),
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** One look. For tests. */
  async runOnce(): Promise<void> {
    await this.#loop.runOnce();
  }

  /** A saga was started, to be looked at by then (ms since 1970). */
  expect(at: number): void {
    if (at < this.#planned) this.#loop.nudge();
  }

  async #look(): Promise<Next> {
    const { units, coordinator, clock, db } = this.options;
    const labels = [...coordinator.labels, UNKNOWN_LABEL];
    const count = await units.run(
      async (work) => {
        await assertRecalled(work); // A1 of amnesia.ts
        const due = await claimDue(work, work.now, AT_ONCE, labels);
        const heard = due.map(({ id }) => ({ sagaId: id, event: { type: 'time' } as const }));
        const moved = new Set((await coordinator.step(due, heard, work)).map(({ saga }) => saga.id));
        await rewake(
          work,
          due.filter(({ id }) => !moved.has(id)),
        );
        return due.length;
      },
      taskCause(clock),
      'timers of sagas',
    );
    if (count === AT_ONCE) return 'again';
    const next = await nextWake(db, labels);
    const afterMs = Math.min(IDLE_MS, next ? next.getTime() - clock.now().getTime() : IDLE_MS);
    this.#planned = clock.now().getTime() + Math.max(0, afterMs);
    return { afterMs };
  }
}
