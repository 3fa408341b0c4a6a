import type { PoolClient } from 'pg';
import { DataSource } from 'typeorm';
import type { Pool } from 'pg';

/** How a statement dies: never sent, or done and its answer lost. */
export type Death = 'before' | 'after';

/**
 * The database of a process that can be made to die at a chosen statement: its connections break there, and
 * nothing it does afterwards reaches the server.
 */
export class MortalDatabase {
  readonly dataSource: DataSource;
  /** Statements that did not reach the server. */
  refused = 0;
  #left = Infinity;
  #death: Death = 'before';
  #dead = false;
  #onDeath: () => void = () => undefined;

  constructor(url: string) {
    this.dataSource = new DataSource({
      type: 'postgres',
      url,
      poolSize: 4,
      installExtensions: false,
      poolErrorHandler: () => undefined,
    });
  }

  async open(): Promise<void> {
    await this.dataSource.initialize();
    const { pool } = this;
    pool.on('connect', (client) => this.#watch(client));
    // Connections of before the watch.
    await this.#renew(pool);
  }

  get pool(): Pool {
    return (this.dataSource.driver as unknown as { master: Pool }).master;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Dies at its `at`th statement from now, counted from 1. */
  dieAt(at: number, death: Death, onDeath: () => void): void {
    this.#dead = false;
    this.#left = at;
    this.#death = death;
    this.#onDeath = onDeath;
  }

  /** Every statement fails from now on, until `revive`. */
  goAway(): void {
    this.#dead = true;
  }

  revive(): void {
    this.#dead = false;
    this.#left = Infinity;
  }

  async #renew(pool: Pool): Promise<void> {
    const clients = await Promise.all(Array.from({ length: pool.totalCount }, () => pool.connect()));
    for (const client of clients) client.release(true);
  }

  #watch(client: PoolClient): void {
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    const watched = async (...args: unknown[]): Promise<unknown> => {
      if (this.#dead) throw this.#break(client);
      if (--this.#left > 0) return query(...args);
      if (this.#death === 'after') await query(...args);
      this.#dead = true;
      this.#onDeath();
      throw this.#break(client);
    };
    // `pool.query` hands a callback on, and takes no promise.
    const either = (...args: unknown[]): Promise<unknown> | void => {
      const told = args.at(-1);
      if (typeof told !== 'function') return watched(...args);
      watched(...args.slice(0, -1)).then(
        (result) => told(undefined, result),
        (error: unknown) => told(error),
      );
    };
    client.query = either as typeof client.query;
  }

  #break(client: PoolClient): Error {
    this.refused++;
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    return new Error('the connection broke'); // without a code, as pg says it
  }
}
