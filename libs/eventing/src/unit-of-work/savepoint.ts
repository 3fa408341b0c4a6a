/**
 * A savepoint that is set when the first statement in it is sent, and never where none is: a participant
 * that writes nothing costs no round trip.
 *
 * It is the connection that is watched, not the `Work`: a repository that was made before the savepoint sends
 * its statements there as well.
 */
import type { PoolClient } from 'pg';

type Query = PoolClient['query'];

export class Savepoint {
  /** What a savepoint around this one has put in its place; undefined: it is the client's own. */
  readonly #before: Query | undefined;
  #state: 'waiting' | 'set' | 'over' = 'waiting';

  /** `name`: of this savepoint alone. Savepoints of one connection end in the reverse order. */
  constructor(
    private readonly client: PoolClient,
    private readonly name: string,
  ) {
    this.#before = Object.hasOwn(client, 'query') ? (client as { query: Query }).query : undefined;
    client.query = ((...args: Parameters<Query>) => {
      this.#set();
      return client.query(...args);
    }) as Query;
  }

  /** What was written stays, as far as the transaction does. Not waited for: the next statement is. */
  release(): void {
    const wasSet = this.#end();
    if (wasSet) this.#unwaited(`RELEASE SAVEPOINT ${this.name}`);
  }

  async rollback(): Promise<void> {
    const wasSet = this.#end();
    if (wasSet) await this.client.query(`ROLLBACK TO SAVEPOINT ${this.name}; RELEASE SAVEPOINT ${this.name}`);
  }

  #set(): void {
    this.#putBack();
    this.#state = 'set';
    this.#unwaited(`SAVEPOINT ${this.name}`);
  }

  #end(): boolean {
    const wasSet = this.#state === 'set';
    if (this.#state === 'waiting') this.#putBack();
    this.#state = 'over';
    return wasSet;
  }

  #putBack(): void {
    if (this.#before) this.client.query = this.#before;
    else delete (this.client as { query?: Query }).query;
  }

  /** Where it fails, the transaction has failed, or the connection: whoever sends the next one is told. */
  #unwaited(sql: string): void {
    this.client.query(sql).catch(() => undefined);
  }
}
