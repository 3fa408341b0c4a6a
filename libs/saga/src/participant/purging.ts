/**
 * Forgets branches that nobody can ask for any more.
 *
 * Q1 a row stays for `rememberDays` after it ended and after its deadline: longer than an event can come back
 *    (redrive, replay, an inbox that has forgotten it);
 * Q2 what is not ended is never forgotten.
 * A prepare that comes even later is past its deadline, and refused for that (H10).
 */
import { Loop, type Clock, type Logger, type Next } from '@aura/platform';
import type { Pool } from 'pg';
import { purgeBranches } from './barrier-store.js';

const EVERY_MS = 600_000;
const PER_ROUND = 1_000;
const DAY_MS = 86_400_000;

export interface PurgingOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rememberDays: number;
}

export class Purging {
  readonly #loop: Loop;

  constructor(private readonly options: PurgingOptions) {
    this.#loop = new Loop({
      name: 'saga.purging',
      idleMs: EVERY_MS,
      round: () => this.#round(),
      onError: (err, failures) =>
        options.logger.warn({ err, failures }, 'saga: ended branches could not be forgotten, trying again'),
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** One round. For tests. */
  async runOnce(): Promise<void> {
    await this.#loop.runOnce();
  }

  async #round(): Promise<Next> {
    const { pool, clock, rememberDays } = this.options;
    const before = new Date(clock.now().getTime() - rememberDays * DAY_MS);
    const gone = await purgeBranches(pool, before, PER_ROUND);
    return gone === PER_ROUND ? 'again' : 'wait';
  }
}
