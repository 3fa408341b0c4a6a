import {
  ConfluentRegistry,
  Contracts,
  PostgresRegistry,
  type EventType,
  type SchemaRegistry,
} from '@aura/contracts';
import { kafkaLog, postgresLog, type EventLog } from '@aura/event-log';
import { connectEventing, EventingHost, EventingModule, type EventingOptions } from '@aura/eventing';
import { type AnySaga, SagaHost, SagaModule, Sagas } from '@aura/saga';
import { InvariantError, Shutdown, type Clock, type Logger } from '@aura/platform';
import { Inject, Injectable, Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DataSource } from 'typeorm';
import type { Config } from '../config/config.js';
import { ADMIN_CONTROLLERS } from '../admin/controllers.js';
import { Health } from '../health/health.js';
import { CLOCK, CONFIG, LOGGER } from '../tokens.js';

export interface EventsModuleOptions {
  readonly publishes: readonly EventType[];
  /** Each has at least one `@On` handler; start-up says so where one is missing. */
  readonly subscribes: readonly EventType[];
  /** The sagas that this service starts. Branches of others' sagas are found by `@ParticipantOf`. */
  readonly sagas?: readonly AnySaga[];
}

/**
 * The event path of a service by its configuration: the log and the registry that `logKind` names, closed
 * with the producers; readiness checks `log`, `registry`, `topics`, `relay`, `consumer` and `sagas`; the
 * admin API that operators use.
 */
export function eventsModule({
  publishes,
  subscribes,
  sagas: coordinates = [],
}: EventsModuleOptions): DynamicModule {
  const sagaModule = SagaModule.forRootAsync({
    coordinates,
    inject: [CONFIG, LOGGER, CLOCK],
    useFactory: (
      { name: service, sagaRetentionDays: retentionDays }: Config,
      logger: Logger,
      clock: Clock,
    ) => ({
      service,
      logger,
      clock,
      ...(retentionDays === undefined ? {} : { retentionDays }),
    }),
  });
  const eventing = EventingModule.forRootAsync({
    imports: [sagaModule],
    inject: [CONFIG, LOGGER, CLOCK, DataSource, Shutdown, Health, Sagas],
    useFactory: (
      config: Config,
      logger: Logger,
      clock: Clock,
      dataSource: DataSource,
      shutdown: Shutdown,
      health: Health,
      sagas: Sagas,
    ): EventingOptions => {
      const { log, registry } = openLog(config, logger);
      shutdown.add('producer', 'event log', () => log.close());
      shutdown.add('producer', 'schema registry', () => registry.close());
      health.add('log', () => log.ping(1_500));
      health.add('registry', () => registry.ping(1_500));
      const { name, logPartitions, createTopics } = config;
      return {
        service: name,
        dataSource,
        databaseUrl: config.databaseUrl.reveal(),
        log,
        registry,
        contracts: new Contracts({
          publishes: [...publishes, ...sagas.publishes],
          subscribes: [...subscribes, ...sagas.subscribes],
        }),
        logger,
        clock,
        ...(createTopics ? { createTopics: { partitions: logPartitions } } : {}),
        inboxRetentionDays: config.inboxRetentionDays,
        ...(config.outboxRetentionDays === undefined
          ? {}
          : { outboxRetentionDays: config.outboxRetentionDays }),
        outboxBudget: { maxBytes: config.outboxBudgetBytes, maxAgeMs: config.outboxBudgetAgeMs },
      };
    },
  });
  return {
    module: EventsModule,
    imports: [sagaModule, eventing],
    controllers: [...ADMIN_CONTROLLERS],
    providers: [EventsHealth, SagaHost],
  };
}

/** The `configure` of a service with events. */
export function withEvents(app: NestExpressApplication): void {
  connectEventing(app);
}

@Module({})
class EventsModule {}

/** Says in `/health/ready` what of the event path is missing. */
@Injectable()
export class EventsHealth implements OnModuleInit {
  constructor(
    @Inject(EventingHost) private readonly host: EventingHost,
    @Inject(Sagas) private readonly sagas: Sagas,
    private readonly health: Health,
  ) {}

  onModuleInit(): void {
    this.health.add('topics', async () => {
      if (!this.host.eventing.status().topicsReady) throw new Error('the topics could not be made yet');
    });
    this.health.add('relay', async () => {
      const { leader, lagRows, lastError } = this.host.eventing.status().relay;
      if (lastError) throw lastError;
      return leader ? `leads, ${lagRows ?? 0} rows wait` : 'stands by';
    });
    if (this.sagas.hasPart)
      this.health.add('sagas', async () => {
        const { waits } = this.sagas;
        if (waits !== undefined) throw new Error(`nothing is decided: ${waits}`);
      });
    this.health.add('consumer', async () => {
      const consumer = this.host.eventing.status().consumer;
      if (!consumer) return 'nothing to consume';
      const { paused, stalledPartitions } = consumer;
      if (paused) {
        const { since, by, reason } = paused;
        const words = `the group is paused since ${since.toISOString()} by ${by}: ${reason}`;
        throw new Error(`${words}; \`npm run aura -- groups resume\` lets it go on`);
      }
      const [stalled, ...others] = stalledPartitions;
      if (stalled) {
        const more = others.length > 0 ? ` (and ${others.length} other partitions)` : '';
        throw new Error(
          `${stalled.topic}/${stalled.partition} stands still: ${stalled.error.message}${more}`,
        );
      }
      if (!consumer.running) throw consumer.lastError ?? new Error('it has not joined its group yet');
      return `${consumer.assigned.length} partitions`;
    });
  }
}

function openLog(config: Config, logger: Logger): { log: EventLog; registry: SchemaRegistry } {
  const { name, logKind, brokers, registryUrl } = config;
  if (logKind === 'kafka') {
    if (!brokers || !registryUrl)
      throw new InvariantError(`${name}: the log is Kafka, brokers and registry are needed`);
    return {
      log: kafkaLog({ brokers, clientId: name, logger }),
      registry: new ConfluentRegistry({ url: registryUrl }),
    };
  }
  const url = config.logUrl?.reveal();
  if (url === undefined) throw new InvariantError(`${name}: the log is Postgres, its address is needed`);
  return {
    log: postgresLog({ url, applicationName: `${name} log`, logger }),
    registry: new PostgresRegistry({ database: url }),
  };
}
