import { checkout } from '@aura/checkout';
import { delivery } from '@aura/delivery';
import { inventory } from '@aura/inventory';
import { payments } from '@aura/payments';
import { silentLogger } from '@aura/platform';
import { startService, type Environment, type ServiceDefinition } from '@aura/service';
import { testDatabase, type TestDatabase } from '@aura/testing';
import type { Client } from 'pg';
import { startProcess, type HouseMember } from './house-process.js';

const SERVICES = { inventory, payments, delivery, checkout } as const;
export type HouseService = keyof typeof SERVICES;
const NAMES = Object.keys(SERVICES) as HouseService[];

export interface HouseOptions {
  /** Over Kafka, or a Postgres log of its own. */
  readonly log: 'postgres' | 'kafka';
  /** More settings, by service. */
  readonly settings?: Partial<Record<HouseService, Record<string, string>>>;
  /** Each service in a process of its own, so that it can be killed. Default: all in this one. */
  readonly processes?: boolean;
}

/** The four services of purchases and returns, each with a database of its own. */
export class FashionHouse {
  readonly #databases = new Map<HouseService | 'log', TestDatabase>();
  readonly #running = new Map<HouseService, HouseMember>();
  readonly #clients = new Map<HouseService, Promise<Client>>();
  /** A service that is started again is where it was: others have its address. */
  readonly #ports = new Map<HouseService, number>();

  private constructor(private readonly options: HouseOptions) {}

  static async open(options: HouseOptions): Promise<FashionHouse> {
    const house = new FashionHouse(options);
    try {
      for (const name of [...NAMES, 'log'] as const) house.#databases.set(name, await testDatabase(name));
      // checkout is told where inventory is.
      await Promise.all(NAMES.filter((name) => name !== 'checkout').map((name) => house.start(name)));
      await house.start('checkout');
    } catch (error) {
      await house.close();
      throw error;
    }
    return house;
  }

  async start(name: HouseService): Promise<void> {
    const environment = this.#environmentOf(name);
    const port = this.#ports.get(name);
    const running = this.options.processes
      ? await startProcess(name, environment, port)
      : await startHere(SERVICES[name] as unknown as ServiceDefinition, environment, port);
    this.#running.set(name, running);
    this.#ports.set(name, Number(new URL(running.url).port));
  }

  async stop(name: HouseService): Promise<void> {
    await this.#running.get(name)?.stop();
    this.#running.delete(name);
  }

  /** As `kill -9`. */
  async kill(name: HouseService): Promise<void> {
    await this.#running.get(name)?.kill?.();
    this.#running.delete(name);
  }

  async close(): Promise<void> {
    for (const name of NAMES.toReversed()) await this.stop(name);
    for (const database of this.#databases.values()) await database.drop();
  }

  urlOf(name: HouseService): string {
    const running = this.#running.get(name);
    if (!running) throw new Error(`${name} does not run`);
    return running.url;
  }

  /** An answer as status and body. */
  async ask(
    name: HouseService,
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(`${this.urlOf(name)}${path}`, {
      method,
      headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async rows<R>(name: HouseService, sql: string, values: unknown[] = []): Promise<R[]> {
    const client = this.#clients.get(name) ?? this.client(name);
    this.#clients.set(name, client);
    return (await (await client).query(sql, values)).rows as R[];
  }

  /** A further connection to its database. */
  async client(name: HouseService): Promise<Client> {
    const client = await this.#databases.get(name)?.client();
    if (!client) throw new Error(`${name} has no database`);
    return client;
  }

  #environmentOf(name: HouseService): Environment {
    const { log, settings = {} } = this.options;
    const url = (of: HouseService | 'log'): string => this.#databases.get(of)?.url ?? '';
    return {
      AURA_DATABASE_URL: url(name),
      AURA_CREATE_TOPICS: 'true',
      AURA_SERVICE_TOKEN_SECRET: 'only for this test, but long enough',
      ...(log === 'postgres'
        ? { AURA_LOG_KIND: 'postgres', AURA_LOG_URL: url('log') }
        : {
            AURA_LOG_KIND: 'kafka',
            AURA_BROKERS: process.env['KAFKA_BROKERS'] ?? '',
            AURA_REGISTRY_URL: process.env['SCHEMA_REGISTRY_URL'] ?? '',
          }),
      ...(name === 'checkout' ? { AURA_INVENTORY_URL: this.urlOf('inventory') } : {}),
      ...settings[name],
    };
  }
}

function startHere(definition: ServiceDefinition, environment: Environment, port = 0): Promise<HouseMember> {
  return startService({ ...definition, environment, logger: silentLogger, port });
}
