/**
 * Tells the relay that events were committed: at once, or, where all of a commit may wait, with the next
 * commit that may not, and after its time at the latest. So what nobody waits for costs no read and no
 * append of its own (ADR 0022).
 *
 * It only delays a hint: a relay that reads for another reason publishes what waits here, and so does the
 * next one of a process that dies. Positions, and with them the order of a key, are those of the commits.
 */
export class Departure {
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Infinity;

  /** `tell` must not throw. */
  constructor(private readonly tell: () => void) {}

  /** Events were committed, which may wait so long (ms); 0: not at all. */
  committed(withinMs: number): void {
    if (withinMs <= 0) return this.#leave();
    const dueMs = performance.now() + withinMs;
    if (dueMs >= this.#dueMs) return;
    this.stop();
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => this.#leave(), withinMs);
  }

  /** What still waits is left to the next relay that reads. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#dueMs = Infinity;
  }

  #leave(): void {
    this.stop();
    this.tell();
  }
}
