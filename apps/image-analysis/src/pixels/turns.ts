/**
 * A bounded number of places and a bounded queue before them, first come first served. Kept apart from the
 * worker pool so that an analysis' time limit begins with its turn, not with its wait.
 */
export class Turns {
  readonly #places: number;
  readonly #longest: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number, longestQueue: number) {
    this.#places = places;
    this.#longest = longestQueue;
  }

  /**
   * Resolves to true when a place is free; whoever has got one must `leave()`. False at once where the
   * queue is full. An aborted `signal` rejects with its reason and gives the place in the queue up.
   */
  async enter(signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    if (this.#taken < this.#places) {
      this.#taken++;
      return true;
    }
    if (this.#waiting.length >= this.#longest) return false;
    await new Promise<void>((resolve, reject) => {
      const next = (): void => {
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(next), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(next);
    });
    return true;
  }

  /** Hands the place to the next in the queue. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken--;
    else next();
  }
}
