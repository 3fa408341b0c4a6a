import type { Queryable } from '@aura/platform';
import { viewsOf, type SagaView } from './view.js';

/** Most sagas of one query. */
const AT_ONCE = 500;

interface Wanted {
  readonly id: string;
  resolve(view: SagaView | undefined): void;
  reject(error: unknown): void;
}

/** Reads of one saga each, made together: those asked for while a query is under way share the next one. */
export class Views {
  #wanted: Wanted[] = [];
  #running = false;

  constructor(private readonly db: Queryable) {}

  /** Undefined: this service knows no such saga. */
  find(id: string): Promise<SagaView | undefined> {
    return new Promise((resolve, reject) => {
      this.#wanted.push({ id, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#wanted.length > 0) {
      const some = this.#wanted.slice(0, AT_ONCE);
      this.#wanted = this.#wanted.slice(AT_ONCE);
      try {
        const found = await viewsOf(this.db, [...new Set(some.map(({ id }) => id))]);
        for (const wanted of some) wanted.resolve(found.get(wanted.id));
      } catch (error) {
        for (const wanted of some) wanted.reject(error);
      }
    }
    this.#running = false;
  }
}
