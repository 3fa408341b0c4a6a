import { context, ROOT_CONTEXT } from '@opentelemetry/api';

/** What a round says of the next one: at once, after a time, or when somebody nudges. */
export type Next = 'again' | 'wait' | { afterMs: number };

export interface LoopOptions {
  /** For logs and errors: `<owner>.<what>`. */
  name: string;
  /**
   * One round. Resolves to when the next is due; must be bounded in time and work. Errors are the loop's:
   * see onError.
   */
  round(signal: AbortSignal): Promise<Next>;
  /** The backstop: a round runs at least this often (ms) even if nobody nudges. */
  idleMs: number;
  /** Called with each error of a round, with the count of rounds failed in a row. Must not throw. */
  onError(error: unknown, failures: number): void;
  /** Back-off after a failed round, in ms: doubles from `initialMs` up to `maxMs`, with full jitter. */
  backoff?: { initialMs: number; maxMs: number };
}

/**
 * One background job: rounds one after the other, never two at once.
 *
 * Guarantees: `nudge()` during a round makes another round run after it (no lost wake-up); `stop()` aborts
 * the signal, waits for the round under way and starts no other; an error never ends the loop. Tests call
 * `runOnce()`.
 */
export class Loop {
  #abort = new AbortController();
  #running: Promise<void> | undefined;
  #round: Promise<Next> | undefined;
  #nudged = false;
  #wake: (() => void) | undefined;
  #failures = 0;

  constructor(private readonly options: LoopOptions) {}

  get name(): string {
    return this.options.name;
  }

  start(): void {
    if (this.#running) return;
    this.#abort = new AbortController();
    // A loop outlives the request that started it: it must not run inside that request's trace.
    this.#running = context.with(ROOT_CONTEXT, () => this.#run());
  }

  /** Makes a round due now. Many nudges before it starts are one round. */
  nudge(): void {
    this.#nudged = true;
    this.#wake?.();
  }

  /**
   * One round, now, on the caller's stack; waits for one that is under way first. Rethrows the round's error.
   */
  async runOnce(): Promise<Next> {
    while (this.#round) await this.#round.catch(() => 'wait');
    this.#round = this.options.round(this.#abort.signal);
    try {
      return await this.#round;
    } finally {
      this.#round = undefined;
    }
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#wake?.();
    await this.#running;
    this.#running = undefined;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      this.#nudged = false;
      let next: Next;
      try {
        next = await this.runOnce();
        this.#failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.options.onError(error, ++this.#failures);
        await this.#sleep(this.#backoffMs(), signal, false);
        continue;
      }
      if (next === 'again' || this.#nudged) continue;
      await this.#sleep(next === 'wait' ? this.options.idleMs : next.afterMs, signal, true);
    }
  }

  #backoffMs(): number {
    const { initialMs, maxMs } = this.options.backoff ?? { initialMs: 50, maxMs: 5_000 };
    return Math.random() * Math.min(maxMs, initialMs * 2 ** Math.min(this.#failures, 20));
  }

  /**
   * Waits `ms`, or less: stop always ends it, a nudge only where `wakeable` (a back-off must not be nudged
   * away).
   */
  #sleep(ms: number, signal: AbortSignal, wakeable: boolean): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, Math.min(Math.max(ms, 0), this.options.idleMs));
      this.#wake = () => {
        if (wakeable || signal.aborted) done();
      };
      if (signal.aborted || (wakeable && this.#nudged)) done();
    });
  }
}
