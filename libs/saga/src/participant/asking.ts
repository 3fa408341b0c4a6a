/**
 * Termination: a yes that waits too long for its decision asks for it, again and again, until it is told.
 *
 * T1 nothing is polled while nothing is held: the loop sleeps until the earliest question, and looks once per
 *    `IDLE_MS` for what other replicas hold;
 * T2 a question, and when the next one comes, are one transaction; replicas ask for different branches.
 */
import type { UnitsOfWork, Work } from '@aura/eventing';
import { Loop, traceContext, type Clock, type Logger, type Next } from '@aura/platform';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import type { Pool } from 'pg';
import { taskCause } from '../cause.js';
import { questionOf } from './answers.js';
import { dueAsks, nextAskAt, updateBranches } from './barrier-store.js';
import type { BranchRow } from './branch-row.js';

const IDLE_MS = 5_000;
const MAX_BACKOFF_MS = 60_000;
const PER_UNIT = 200;
/** Another replica has them in hand. */
const LEFT_TO_OTHERS_MS = 1_000;

export interface AskingOptions {
  readonly units: UnitsOfWork;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly service: string;
  readonly askAfterMs: number;
}

export class Asking {
  readonly #loop: Loop;
  /** When the loop looks by itself, ms since 1970. */
  #wakesAt = 0;

  constructor(private readonly options: AskingOptions) {
    this.#loop = new Loop({
      name: 'saga.asking',
      idleMs: IDLE_MS,
      round: () => this.#round(),
      onError: (err, failures) =>
        options.logger.warn({ err, failures }, 'saga: decisions could not be asked for, trying again'),
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** One look, and what was due. For tests. */
  async runOnce(): Promise<void> {
    await this.#loop.runOnce();
  }

  /** This process holds something that asks at `at`. */
  expect(at: Date): void {
    if (at.getTime() < this.#wakesAt) this.#loop.nudge();
  }

  async #round(): Promise<Next> {
    const { pool, clock, units } = this.options;
    const now = clock.now();
    const at = await nextAskAt(pool); // T1
    const inMs = at ? at.getTime() - now.getTime() : IDLE_MS;
    this.#wakesAt = now.getTime() + Math.min(inMs, IDLE_MS);
    if (inMs > 0) return { afterMs: inMs };
    const asked = await units.run((work) => this.#ask(work), taskCause(clock), 'asking for decisions');
    return asked > 0 ? 'again' : { afterMs: LEFT_TO_OTHERS_MS };
  }

  /** T2. */
  async #ask(work: Work): Promise<number> {
    const rows = await dueAsks(work, PER_UNIT);
    await updateBranches(
      work,
      rows.map((row) => ({ ...row, asks: row.asks + 1, askAt: this.#nextAfter(row, work.now) })),
    );
    for (const row of rows)
      context.with(traceContext(row.trace, ROOT_CONTEXT), () =>
        work.raise(questionOf(this.options.service, row), { correlationId: row.sagaId }),
      );
    return rows.length;
  }

  /** At least half of the back-off: a coordinator that is down must not be asked in a storm. */
  #nextAfter({ asks }: BranchRow, now: Date): Date {
    const capMs = Math.min(MAX_BACKOFF_MS, this.options.askAfterMs * 2 ** Math.min(asks + 1, 20));
    return new Date(now.getTime() + Math.ceil((capMs * (1 + Math.random())) / 2));
  }
}
