import { setTimeout } from 'node:timers/promises';
import { Loop, type Logger, type Queryable } from '@aura/platform';
import { decidedOf, type SagaView } from './view.js';

/** How often the database is asked while somebody waits (ms). */
const POLL_MS = 50;
/** A service with more waiting callers than this answers at once: they ask again. */
const MAX_WAITING = 10_000;

const AT_ONCE = { decided: Promise.resolve(undefined), leave: (): void => undefined };

type Waiter = (decided: SagaView | undefined) => void;

/**
 * Callers that wait for a decision (H37): told by the commit where it was decided in this process; while
 * anybody waits, one query per 50 ms serves all of them; with nobody waiting there is none.
 */
export class Waiting {
  readonly #waiting = new Map<string, Set<Waiter>>();
  readonly #loop: Loop;

  constructor(
    private readonly db: Queryable,
    logger: Logger,
  ) {
    this.#loop = new Loop({
      name: 'sagas waited for',
      idleMs: 600_000,
      round: async (signal) => {
        await setTimeout(POLL_MS, undefined, { signal });
        if (this.#waiting.size === 0) return 'wait';
        await this.#look();
        return 'again';
      },
      onError: (error) => logger.warn({ err: error }, 'sagas: whether they are decided could not be asked'),
    });
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    for (const id of this.#waiting.keys()) this.#tell(id, undefined);
  }

  /**
   * The saga once it is decided, as far as is known here; undefined after `withinMs`, and where nobody may
   * wait any more: look then. `leave`: it is not waited for any longer.
   */
  for(id: string, withinMs: number): { decided: Promise<SagaView | undefined>; leave(): void } {
    if (withinMs <= 0 || this.#waiting.size >= MAX_WAITING) return AT_ONCE;
    const { promise: decided, resolve } = Promise.withResolvers<SagaView | undefined>();
    const timer = globalThis.setTimeout(() => resolve(undefined), withinMs);
    const first = this.#waiting.size === 0;
    const waiters = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiters.add(resolve));
    if (first) this.#loop.nudge();
    const leave = (): void => {
      clearTimeout(timer);
      waiters.delete(resolve);
      if (waiters.size === 0 && this.#waiting.get(id) === waiters) this.#waiting.delete(id);
    };
    return { decided, leave };
  }

  /** After the commit that decided them. */
  decided(sagas: readonly SagaView[]): void {
    for (const saga of sagas) this.#tell(saga.id, saga);
  }

  #tell(id: string, saga: SagaView | undefined): void {
    const waiters = this.#waiting.get(id);
    this.#waiting.delete(id);
    for (const resolve of waiters ?? []) resolve(saga);
  }

  async #look(): Promise<void> {
    this.decided(await decidedOf(this.db, [...this.#waiting.keys()]));
  }
}
