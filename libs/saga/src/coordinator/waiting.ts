import { setTimeout } from 'node:timers/promises';
import { Loop, run, statement, type Logger, type Queryable } from '@aura/platform';

/** Of all that wait, those that were decided: also by another replica. */
const DECIDED = statement(
  'saga_decided_of',
  'select id from aura.saga where id = any($1::uuid[]) and decided_at is not null',
);

/** How often the database is asked while somebody waits (ms). */
const POLL_MS = 50;
/** A service with more waiting callers than this answers at once: they ask again. */
const MAX_WAITING = 10_000;

/**
 * Callers that wait for a decision (H37): woken by the commit where it was decided in this process; while
 * anybody waits, one query per 50 ms serves all of them; with nobody waiting there is none.
 */
export class Waiting {
  readonly #waiting = new Map<string, Set<() => void>>();
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
    for (const id of this.#waiting.keys()) this.wake([id]);
  }

  /** Resolves when the saga is decided, as far as is known here, or after `withinMs`: look then. */
  async until(id: string, withinMs: number): Promise<void> {
    if (withinMs <= 0 || this.#waiting.size >= MAX_WAITING) return;
    let timer: NodeJS.Timeout | undefined;
    const waiters = this.#waiting.get(id) ?? new Set();
    const first = this.#waiting.size === 0;
    this.#waiting.set(id, waiters);
    let wake: (() => void) | undefined;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
      waiters.add(resolve);
      timer = globalThis.setTimeout(resolve, withinMs);
    });
    if (first) this.#loop.nudge();
    await woken;
    clearTimeout(timer);
    if (wake) waiters.delete(wake);
    if (waiters.size === 0 && this.#waiting.get(id) === waiters) this.#waiting.delete(id);
  }

  /** After the commit that decided them. */
  wake(ids: readonly string[]): void {
    for (const id of ids) {
      const waiters = this.#waiting.get(id);
      this.#waiting.delete(id);
      for (const resolve of waiters ?? []) resolve();
    }
  }

  async #look(): Promise<void> {
    const rows = await run<{ id: string }>(this.db, DECIDED, [[...this.#waiting.keys()]]);
    this.wake(rows.map(({ id }) => id));
  }
}
