import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { settled, type Seeded } from '@aura/testing';
import { ensureDatabase } from '@aura/tools/postgres';
import type { LogSettings, Role } from '../settings.js';
import { ORDERS_TABLES, STOCK_TABLES } from '../tables.js';
import { readLedger, rowsOf } from './books.js';
import type { Ledger } from './ledger.js';
import { absentKafka, ownCluster, ownKafka, ownPostgres, type OwnServer } from './own-servers.js';
import { ServiceProcess } from './service-process.js';
import { letFall, planStorm, type Victim } from './storm.js';

/** A crash takes seconds to recover from; a busy machine more. Only a service that hangs takes this long. */
const PATIENCE = { withinMs: 120_000, everyMs: 50 };

export interface CrashRunOptions {
  /** `brokers`: Kafka again, three of them; `absent`: Kafka and its registry, started by `arrive` only. */
  readonly log: 'postgres' | 'kafka' | 'brokers' | 'absent';
  /** One process each. */
  readonly stocks: readonly Extract<Role, 'stock' | 'naive-stock'>[];
}

export interface StormOptions {
  readonly rounds: number;
  /** Who is crashed. Default: everything. */
  readonly strikes?: 'everything' | 'services' | 'brokers';
  /** Called after each round, when the services are getting on with their work. */
  readonly onRound?: (round: number) => Promise<void> | void;
}

/** Two services under load, their databases and their log, all of it to be crashed. */
export class CrashRun {
  readonly acknowledged: string[] = [];
  readonly stocks: readonly ServiceProcess[];
  readonly orders: ServiceProcess;
  readonly crashes = new Map<string, number>();

  private constructor(
    readonly folder: string,
    private readonly servers: readonly OwnServer[],
    private readonly urls: { readonly orders: string; readonly stock: string },
    readonly log: LogSettings,
    stocks: CrashRunOptions['stocks'],
  ) {
    this.orders = new ServiceProcess({
      name: 'orders',
      folder,
      settings: { role: 'orders', databaseUrl: urls.orders, log },
      onCommitted: (ids) => this.acknowledged.push(...ids),
    });
    this.stocks = stocks.map((role, index) => {
      const settings = { role, databaseUrl: urls.stock, log };
      return new ServiceProcess({ name: `stock-${index + 1}`, folder, settings });
    });
  }

  static async open({ log, stocks }: CrashRunOptions): Promise<CrashRun> {
    const servers: OwnServer[] = [];
    try {
      const postgres = await ownPostgres('the services’ Postgres');
      servers.push(postgres);
      const orders = await ensureDatabase(postgres.url, { name: 'orders' });
      const stock = await ensureDatabase(postgres.url, { name: 'stock' });
      await rowsOf(orders, ORDERS_TABLES);
      await rowsOf(stock, STOCK_TABLES);
      const settings = await openLog(log, servers);
      const folder = mkdtempSync(join(tmpdir(), 'aura-crash-run-'));
      const run = new CrashRun(folder, servers, { orders, stock }, settings, stocks);
      for (const service of run.services) service.start();
      return run;
    } catch (error) {
      await Promise.allSettled(servers.map((server) => server.dispose()));
      throw error;
    }
  }

  get services(): readonly ServiceProcess[] {
    return [this.orders, ...this.stocks];
  }

  /** Crashes in rounds; after each the services have to get on with their work. */
  async storm(random: Seeded, { rounds, strikes = 'everything', onRound }: StormOptions): Promise<void> {
    await this.progress(50);
    // Brokers fall one at a time: with two of three gone nothing is acknowledged, so nothing can be lost.
    const plan = planStorm(random, this.#victims(strikes), rounds, strikes === 'brokers' ? 0 : undefined);
    for (const [index, round] of plan.entries()) {
      await letFall(round);
      if (round.progress > 0) await this.progress(round.progress);
      await onRound?.(index + 1);
    }
  }

  /** Starts the log that was absent. */
  async arrive(): Promise<void> {
    for (const server of this.servers) if (server.isBroker) await server.start();
  }

  /** How many events of orders the relay has not published. */
  async unpublished(): Promise<number> {
    const [row] = await rowsOf<{ count: number }>(
      this.urls.orders,
      `select (select count(*) from aura.outbox where position > c.position)::int
              + jsonb_array_length(c.pending) as count from aura.relay_cursor c`,
    );
    return row?.count ?? 0;
  }

  /** Resolves when so many more answers have been applied: a way there and back for each. */
  async progress(answers: number): Promise<void> {
    const before = await settled('the orders’ database answers', () => this.#answers(), PATIENCE);
    await settled(
      `${answers} more answers than ${before.count}`,
      async () => this.#died() || (await this.#answers()).count >= before.count + answers,
      PATIENCE,
    );
    if (this.#died()) throw new Error(this.services.flatMap(({ deaths }) => deaths).join('; '));
  }

  /** Ends the load and waits until nothing is under way; then stops the services in good order. */
  async quiet(): Promise<Ledger> {
    this.orders.tell('stop-load');
    const isQuiet = async (): Promise<boolean> => nothingUnderWay(await this.ledger());
    // What is still missing then, the ledger names better than a wait that is over.
    await settled('all is quiet', isQuiet, PATIENCE).catch(() => undefined);
    for (const service of this.services) await service.stop();
    return this.ledger();
  }

  ledger(): Promise<Ledger> {
    return readLedger(this.urls, this.acknowledged);
  }

  /** Ends everything, whatever state it is in. The logs stay where the run did not go well. */
  async close(wentWell: boolean): Promise<void> {
    await Promise.allSettled(this.services.map((service) => service.kill()));
    await Promise.allSettled(this.servers.map((server) => server.dispose()));
    if (wentWell) rmSync(this.folder, { recursive: true, force: true });
  }

  /** Whether a service has ended by itself: nothing that is waited for would come. */
  #died(): boolean {
    return this.services.some(({ deaths }) => deaths.length > 0);
  }

  async #answers(): Promise<{ count: number }> {
    const [row] = await rowsOf<{ count: number }>(this.urls.orders, 'select count(*)::int from answer');
    return row as { count: number };
  }

  #victims(strikes: Exclude<StormOptions['strikes'], undefined>): Victim[] {
    const services = this.services.map((service) => ({
      name: service.name,
      crash: () => service.kill(),
      start: async () => service.start(),
    }));
    const chosen: Record<typeof strikes, readonly Victim[]> = {
      everything: [...services, ...this.servers],
      services,
      brokers: this.servers.filter((server) => server.isBroker),
    };
    return chosen[strikes].map((victim) => ({
      name: victim.name,
      start: () => victim.start(),
      crash: async () => {
        this.crashes.set(victim.name, (this.crashes.get(victim.name) ?? 0) + 1);
        await victim.crash();
      },
    }));
  }
}

function nothingUnderWay({ causes, effects, taken, packed, packedAnswers, leftovers }: Ledger): boolean {
  return (
    leftovers.length === 0 &&
    distinct(effects) >= causes.length &&
    distinct(taken) >= causes.length &&
    distinct(packedAnswers) >= distinct(packed)
  );
}

function distinct(rows: readonly { readonly id: string }[]): number {
  return new Set(rows.map(({ id }) => id)).size;
}

/** The log of a run, on servers of its own that are added to `servers`. */
export async function openLog(kind: CrashRunOptions['log'], servers: OwnServer[]): Promise<LogSettings> {
  if (kind === 'postgres') {
    const server = await ownPostgres('the log’s Postgres');
    servers.push(server);
    return { kind, url: await ensureDatabase(server.url, { name: 'event_log' }) };
  }
  if (kind === 'absent') {
    const kafka = await absentKafka('Kafka');
    servers.push(kafka);
    return { kind: 'kafka', brokers: kafka.brokers, registryUrl: kafka.registryUrl };
  }
  const registryUrl = process.env['SCHEMA_REGISTRY_URL'];
  if (!registryUrl) throw new Error('SCHEMA_REGISTRY_URL is not set: run the tests through `npm test`');
  if (kind === 'brokers') {
    const cluster = await ownCluster();
    servers.push(...cluster.servers);
    return { kind: 'kafka', brokers: cluster.brokers, registryUrl };
  }
  const server = await ownKafka('the broker');
  servers.push(server);
  return { kind, brokers: server.brokers, registryUrl };
}
