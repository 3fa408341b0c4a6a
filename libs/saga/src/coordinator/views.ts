import type { Queryable } from '@aura/platform';
import { Batches } from './batches.js';
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
  readonly #wanted = new Batches<Wanted>(AT_ONCE, (some) => this.#look(some));

  constructor(private readonly db: Queryable) {}

  /** Undefined: this service knows no such saga. */
  find(id: string): Promise<SagaView | undefined> {
    return new Promise((resolve, reject) => this.#wanted.add({ id, resolve, reject }));
  }

  async #look(some: readonly Wanted[]): Promise<void> {
    try {
      const found = await viewsOf(this.db, [...new Set(some.map(({ id }) => id))]);
      for (const wanted of some) wanted.resolve(found.get(wanted.id));
    } catch (error) {
      for (const wanted of some) wanted.reject(error);
    }
  }
}
