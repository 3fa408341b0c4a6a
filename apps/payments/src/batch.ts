/** Most of one call: what is more waits for the next one. */
const MOST = 500;

interface Waiting<I, O> {
  readonly item: I;
  readonly resolve: (answer: O) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit for calls: what is asked for while a call is under way goes together into the next one. At
 * most one call at a time, with at most 500 items. `perform` answers in the order of its items; where it
 * throws, all of them fail, so an item must not be able to spoil the call for the others.
 */
export class Batch<I, O> {
  readonly #waiting: Waiting<I, O>[] = [];
  #running = false;

  constructor(private readonly perform: (items: readonly I[]) => Promise<readonly O[]>) {}

  add(item: I): Promise<O> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#running) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#running = true;
    await Promise.resolve(); // who asks in the same breath comes along
    while (this.#waiting.length > 0) {
      const taken = this.#waiting.splice(0, MOST);
      try {
        const answers = await this.perform(taken.map(({ item }) => item));
        for (const [index, { resolve }] of taken.entries()) resolve(answers[index] as O);
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
    }
    this.#running = false;
  }
}
