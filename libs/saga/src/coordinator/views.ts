import { GroupCommit, type Queryable } from '@aura/platform';
import { viewsOf, type SagaView } from './view.js';

/** Reads of one saga each, made together: those asked for while a query is under way share the next one. */
export class Views {
  readonly #wanted = new GroupCommit<string, SagaView | undefined>((ids) => this.#look(ids));

  constructor(private readonly db: Queryable) {}

  /** Undefined: this service knows no such saga. */
  find(id: string): Promise<SagaView | undefined> {
    return this.#wanted.add(id);
  }

  async #look(ids: readonly string[]): Promise<(SagaView | undefined)[]> {
    const found = await viewsOf(this.db, [...new Set(ids)]);
    return ids.map((id) => found.get(id));
  }
}
