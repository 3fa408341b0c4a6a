import { randomBytes } from 'node:crypto';
import {
  ConfluentRegistry,
  Contracts,
  defineBranch,
  PostgresRegistry,
  type BranchKind,
  type BranchType,
  type SchemaRegistry,
} from '@aura/contracts';
import { kafkaLog, postgresLog, type EventLog } from '@aura/event-log';
import { Eventing, Handlers } from '@aura/eventing';
import { silentLogger, type Clock, type Logger } from '@aura/platform';
import { testDatabase, type TestDatabase } from '@aura/testing';
import { DataSource } from 'typeorm';
import { type AnySaga, Sagas, type ParticipantSource } from '../src/index.js';
import type { Wanted } from './branches.js';

const PARTITIONS = 4;

/** What a service of a spec is, beside its name. */
export interface ServiceSpec {
  readonly name: string;
  readonly coordinates?: readonly AnySaga[];
  readonly participates?: readonly ParticipantSource[];
  /** DDL of the service's own tables. */
  readonly sql?: string;
  readonly logger?: Logger;
  /** One that is there: of another replica, or of before. Default: one of its own, with its life. */
  readonly database?: TestDatabase;
  readonly clock?: Clock;
  readonly retentionDays?: number;
}

/** One running service with a database of its own. */
export interface SagaService {
  readonly name: string;
  readonly eventing: Eventing;
  readonly sagas: Sagas;
  readonly database: TestDatabase;
  rows<R>(sql: string, values?: unknown[]): Promise<R[]>;
  readonly stop: () => Promise<void>;
}

/** A log of a spec's own, and services on it: names are made unique, so that a shared broker serves many. */
export class SagaSystem {
  readonly #suffix = randomBytes(5).toString('hex');
  readonly #stops: (() => Promise<unknown>)[] = [];

  private constructor(
    private readonly openLog: (name: string) => { log: EventLog; registry: SchemaRegistry },
  ) {}

  static async on(kind: 'postgres' | 'kafka'): Promise<SagaSystem> {
    if (kind === 'kafka') {
      const brokers = (process.env['KAFKA_BROKERS'] ?? '').split(',');
      const url = process.env['SCHEMA_REGISTRY_URL'] ?? '';
      return new SagaSystem((name) => ({
        log: kafkaLog({ brokers, clientId: name, logger: silentLogger }),
        registry: new ConfluentRegistry({ url }),
      }));
    }
    const database = await testDatabase('saga_log');
    const system = new SagaSystem((name) => ({
      log: postgresLog({ url: database.url, applicationName: name, logger: silentLogger }),
      registry: new PostgresRegistry({ database: database.url }),
    }));
    system.#stops.push(() => database.drop());
    return system;
  }

  /** The unique name of a service: what its topic and its branches are called after. */
  name(service: string): string {
    return `${service}_${this.#suffix}`;
  }

  branch(
    service: string,
    name: string,
    coordinators: readonly string[],
    kind: BranchKind = 'reservable',
  ): BranchType<Wanted> {
    const owner = this.name(service);
    return defineBranch<Wanted>({
      service: owner,
      kind,
      coordinators: coordinators.map((each) => this.name(each)),
      version: 1,
      schema: {
        type: 'record',
        name,
        namespace: owner,
        doc: 'A branch of the specs.',
        fields: [{ name: 'what', type: 'string' }],
      },
    });
  }

  async service(spec: ServiceSpec): Promise<SagaService> {
    const name = this.name(spec.name);
    const { logger = silentLogger, clock } = spec;
    const database = spec.database ?? (await testDatabase('saga'));
    const dataSource = await new DataSource({
      type: 'postgres',
      url: database.url,
      poolSize: 12,
      installExtensions: false,
      poolErrorHandler: () => undefined,
    }).initialize();
    if (spec.sql) await dataSource.query(spec.sql);
    const { log, registry } = this.openLog(name);
    const sagas = new Sagas({ service: name, logger, ...spec });
    const { publishes, subscribes } = sagas;
    const contracts = new Contracts({ publishes, subscribes });
    const eventing = new Eventing({
      service: name,
      dataSource,
      databaseUrl: database.url,
      log,
      registry,
      contracts,
      logger,
      ...(clock ? { clock } : {}),
      createTopics: { partitions: PARTITIONS },
    });
    await eventing.prepare();
    await sagas.prepare(eventing);
    await eventing.run(sagas.tasks());
    await eventing.consume(new Handlers(sagas.handlers()));
    sagas.start();
    const stop = async (): Promise<void> => {
      await eventing.stopConsuming();
      await sagas.stop();
      await eventing.stopTasks();
      await eventing.stopPublishing();
      await Promise.all([log.close(), registry.close()]);
      await dataSource.destroy();
      if (!spec.database) await database.drop();
    };
    const running: SagaService = {
      name,
      eventing,
      sagas,
      database,
      rows: async <R>(sql: string, values: unknown[] = []) =>
        (await eventing.pool.query(sql, values)).rows as R[],
      stop: once(stop),
    };
    this.#stops.unshift(running.stop);
    return running;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) await stop();
  }
}

function once(stop: () => Promise<void>): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  return () => (stopped ??= stop());
}
