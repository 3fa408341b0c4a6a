/** Group commit: what is added while a batch is under way goes into the next one. */
export class Batches<T> {
  #waiting: T[] = [];
  #running = false;

  /** `most`: items of one batch; `handle` must not reject. */
  constructor(
    private readonly most: number,
    private readonly handle: (some: readonly T[]) => Promise<void>,
  ) {}

  /** Items that wait for their batch. */
  get waiting(): number {
    return this.#waiting.length;
  }

  add(item: T): void {
    this.#waiting.push(item);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const some = this.#waiting.slice(0, this.most);
      this.#waiting = this.#waiting.slice(this.most);
      await this.handle(some);
    }
    this.#running = false;
  }
}
