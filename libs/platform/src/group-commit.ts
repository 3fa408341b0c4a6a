/** Most items of one call: what is more waits for the next one. */
const MOST = 500;

interface Waiting<I, O> {
  readonly item: I;
  readonly resolve: (answer: O) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: what is added while a call is under way goes together into the next one. With one caller it
 * is a call for each item, with many one call for all of them.
 *
 * Guarantees: one call at a time, items in the order in which they were added, at most 500 in a call; what is
 * added in the same breath shares it. `perform` answers in the order of its items; an `Error` among its
 * answers is that item's alone, what it throws is everybody's.
 */
export class GroupCommit<I, O> {
  readonly #waiting: Waiting<I, O>[] = [];
  #running = false;

  constructor(private readonly perform: (items: readonly I[]) => Promise<readonly (O | Error)[]>) {}

  /** Items that wait for their call. */
  get waiting(): number {
    return this.#waiting.length;
  }

  add(item: I): Promise<O> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#running) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#running = true;
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const taken = this.#waiting.splice(0, MOST);
      try {
        const answers = await this.perform(taken.map(({ item }) => item));
        for (const [index, { resolve, reject }] of taken.entries()) {
          const answer = answers[index];
          if (answer instanceof Error) reject(answer);
          else resolve(answer as O);
        }
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
    }
    this.#running = false;
  }
}
