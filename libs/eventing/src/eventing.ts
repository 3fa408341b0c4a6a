/**
 * The event path of one service, put together without a framework; `nest/eventing.module.ts` puts it into
 * Nest.
 */
import type { Contracts, EventEnvelope, EventType, SchemaRegistry } from '@aura/contracts';
import type { EventLog } from '@aura/event-log';
import { keepPlansFresh, Loop, systemClock, withClient, type Clock, type Logger } from '@aura/platform';
import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import { Consumer, type ConsumerLimits, type ConsumerStatus } from './consumer/consumer.js';
import { ServiceGroup } from './consumer/group-operations.js';
import type { Handlers } from './consumer/handlers.js';
import { DEFAULT_INBOX_RETENTION_DAYS, inboxFindings } from './consumer/inbox-upkeep.js';
import { forgottenEvents } from './guards/forgotten.js';
import type { LetterLimits } from './letters/letter-limits.js';
import { totalsOf } from './letters/letter-list.js';
import { DeadLetters } from './letters/letter-operations.js';
import { letterMetrics, type LetterMetrics } from './letters/metrics.js';
import { redriveTasks } from './letters/redrive-task.js';
import { Redrive } from './letters/redrive.js';
import { migrate } from './migrations/migrate.js';
import type { FindingSource } from './operations/doctor.js';
import type { Operations } from './operations/operations.js';
import { serviceOperations } from './operations/service-operations.js';
import { ServiceTopic } from './operations/topic-operations.js';
import { OutboxBudget, type BudgetStatus } from './outbox/budget.js';
import type { BudgetLimits } from './outbox/budget-rules.js';
import { OutboxDays, outboxDaysFindings } from './outbox/days.js';
import { Departure } from './outbox/departure.js';
import { keepSchemas } from './outbox/relay-store.js';
import { OutboxRelay } from './outbox/relay-operations.js';
import { Relay, type RelayStatus } from './outbox/relay.js';
import { WakeUp } from './outbox/wake-up.js';
import { OutboxReplay } from './replay/replay-operations.js';
import { replayTasks } from './replay/replay-task.js';
import type { AnyTaskHandler } from './tasks/task.js';
import { TaskRunner } from './tasks/task-runner.js';
import type { Written } from './unit-of-work/unit-of-work.js';
import { UnitsOfWork } from './unit-of-work/units-of-work.js';

export interface EventingOptions {
  /** The service's name: its consumer group and its `ce_source`; its topic is `<service>.events`. */
  readonly service: string;
  readonly dataSource: DataSource;
  /**
   * The service's database: a direct connection, or through a pool in session mode. For relay and wake-ups.
   */
  readonly databaseUrl: string;
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
  /** All types that this service publishes or reads. */
  readonly contracts: Contracts;
  readonly logger: Logger;
  readonly clock?: Clock;
  /**
   * Makes its own topic and those it reads, where they are missing: for demos and tests. Default: operators
   * make them (`npm run aura -- topics apply`).
   */
  readonly createTopics?: { readonly partitions: number };
  readonly limits?: ConsumerLimits;
  readonly letters?: LetterLimits;
  /**
   * Days of the outbox are dropped when they ended so many days ago and nobody needs them. Default:
   * everything is kept; the outbox is the event store that replay reads.
   */
  readonly outboxRetentionDays?: number;
  /** How long the inbox remembers which events were applied (whole days). Default 14. */
  readonly inboxRetentionDays?: number;
  /** Past it new work is refused. Default: 1 GiB, 24 hours. */
  readonly outboxBudget?: Partial<BudgetLimits>;
  /** A task whose process died is taken over after this long (ms). Default 15,000. */
  readonly taskLeaseMs?: number;
}

export interface EventingStatus {
  readonly relay: RelayStatus;
  /** Undefined before `consume`. */
  readonly consumer: ConsumerStatus | undefined;
  /** False until the topics that this service needs have been made; true where it does not make them. */
  readonly topicsReady: boolean;
  /** What waits to be published, as this replica sees it. */
  readonly outbox: BudgetStatus;
}

/**
 * Outbox, relay, consumer and tasks of one service.
 *
 * `prepare` before anything is raised; `run` starts the relay and the tasks; `consume` joins the group.
 * Nothing of it needs the log or the registry to be there: the service commits and raises, and `status`
 * says what is missing (E5).
 */
export class Eventing {
  readonly units: UnitsOfWork;
  /** What operators may ask of this service. */
  readonly operations: Operations;
  readonly #letterMetrics: LetterMetrics;
  /** The service's pool: for other libs' own statements. */
  readonly pool: Pool;
  readonly #days: OutboxDays;
  readonly #budget: OutboxBudget;
  readonly #relay: Relay;
  readonly #replay: OutboxReplay;
  readonly #wakeUp: WakeUp;
  readonly #departure = new Departure(() => this.#tellRelay());
  readonly #topics: Loop;
  #tasks: TaskRunner | undefined;
  /** Of libs beside the service's own: added before `run`, or after. */
  readonly #added: AnyTaskHandler[] = [];
  readonly #findings: FindingSource[] = [];
  readonly #takeBack: (() => Promise<void>)[] = [];
  #redrives: AnyTaskHandler | undefined;
  #consumer: Consumer | undefined;
  #topicsReady: boolean;

  constructor(private readonly options: EventingOptions) {
    const { dataSource, logger, contracts, clock = systemClock, log, registry } = options;
    const connection = { connectionString: options.databaseUrl };
    this.pool = (dataSource.driver as unknown as { master: Pool }).master;
    keepPlansFresh(this.pool);
    this.units = new UnitsOfWork({
      dataSource,
      contracts,
      clock,
      onCommitted: (written) => this.#onCommitted(written),
      admit: () => this.#budget.admit(),
    });
    this.#letterMetrics = letterMetrics(options.service, () => totalsOf(this.pool, options.service));
    const { outboxRetentionDays: retentionDays, outboxBudget } = options;
    this.#days = new OutboxDays({
      service: options.service,
      pool: this.pool,
      logger,
      ...(retentionDays === undefined ? {} : { retentionDays }),
    });
    this.#budget = new OutboxBudget({
      service: options.service,
      pool: this.pool,
      logger,
      ...(outboxBudget ? { limits: outboxBudget } : {}),
    });
    this.#replay = new OutboxReplay({ pool: this.pool, units: this.units.context, log });
    this.#relay = new Relay({
      connection,
      db: this.pool,
      log,
      registry,
      source: options.service,
      logger,
      clock,
      findReplay: (id) => this.#replay.find(id),
    });
    this.#wakeUp = new WakeUp({ connection, logger, onWake: () => this.#relay.nudge() });
    this.#topicsReady = options.createTopics === undefined;
    this.#topics = this.#topicLoop();
    this.operations = this.#operations();
  }

  /**
   * Brings the tables up to date. Rejects while the database is away, and where its shape can't keep the
   * promises.
   */
  async prepare(): Promise<void> {
    await withClient(this.pool, migrate);
    await keepSchemas(this.pool, this.options.contracts.definitions());
    await this.#days.start();
    this.#budget.start();
  }

  /** Starts publishing, and the tasks of `handlers`. */
  async run(handlers: readonly AnyTaskHandler[]): Promise<void> {
    const { logger, log, registry, service: source, taskLeaseMs: leaseMs } = this.options;
    const { context: units } = this.units;
    const replays = replayTasks({ pool: this.pool, units, log, registry, source, logger });
    const all = [...handlers, ...this.#added, replays, ...(this.#redrives ? [this.#redrives] : [])];
    this.#tasks = new TaskRunner({
      handlers: all,
      units,
      pool: this.pool,
      logger,
      ...(leaseMs === undefined ? {} : { leaseMs }),
    });
    if (!this.#topicsReady) this.#topics.start();
    await this.#relay.start();
    this.#wakeUp.start();
    this.#tasks.start();
  }

  /** More kinds of tasks, before `run` or after it. */
  addTasks(handlers: readonly AnyTaskHandler[]): void {
    this.#added.push(...handlers);
    for (const handler of handlers) this.#tasks?.add(handler);
  }

  /** How long this service's inbox remembers which events were applied (days). */
  get inboxRetentionDays(): number {
    return this.options.inboxRetentionDays ?? DEFAULT_INBOX_RETENTION_DAYS;
  }

  /** What other libs have to say to the doctor. */
  addFindings(...sources: readonly FindingSource[]): void {
    this.#findings.push(...sources);
  }

  /**
   * Events of `types` that this service has published and its database does not know (E10), in the order of
   * each partition. See guards/forgotten.ts.
   */
  forgotten(types: readonly EventType[]): AsyncIterable<readonly EventEnvelope[]> {
    const { log, registry, contracts, service: source } = this.options;
    const topic = `${source}.events`;
    return forgottenEvents({ db: this.pool, log, registry, contracts, source, topic }, types);
  }

  /** `takeBack` is done before `relay mend database-went-back` takes what is forgotten for read. */
  beforeForgetting(takeBack: () => Promise<void>): void {
    this.#takeBack.push(takeBack);
  }

  /**
   * Joins the service's group, and tries its parked keys again. Resolves at once: a log that is away is
   * tried again, and seen in `status`. A service that reads nothing has no consumer.
   */
  async consume(handlers: Handlers): Promise<void> {
    const { service: group, log, registry, contracts, logger } = this.options;
    const { limits, letters, inboxRetentionDays } = this.options;
    const reading = { group, log, registry, contracts, handlers, units: this.units.context, logger };
    const redrive = new Redrive({ ...reading, metrics: this.#letterMetrics, limits: letters });
    this.#redrives = redriveTasks(redrive);
    this.#tasks?.add(this.#redrives);
    if (handlers.topics().length === 0) return;
    this.#consumer = new Consumer({
      ...reading,
      ...(limits ? { limits } : {}),
      ...(letters ? { letters } : {}),
      onParked: () => this.#letterMetrics.changed(),
      ...(inboxRetentionDays === undefined ? {} : { inboxRetentionDays }),
    });
    await this.#consumer.start();
  }

  status(): EventingStatus {
    return {
      relay: this.#relay.status(),
      consumer: this.#consumer?.status(),
      topicsReady: this.#topicsReady,
      outbox: this.#budget.status(),
    };
  }

  /** The first part of stopping: takes nothing new. */
  async stopConsuming(): Promise<void> {
    await this.#consumer?.stop();
  }

  async stopTasks(): Promise<void> {
    await this.#tasks?.stop();
  }

  /** After everything that raises events has stopped. */
  async stopPublishing(): Promise<void> {
    this.#departure.stop();
    await Promise.all([this.#topics.stop(), this.#wakeUp.stop(), this.#days.stop(), this.#budget.stop()]);
    await this.#relay.stop();
  }

  #onCommitted({ events, tasks, withinMs = 0 }: Written): void {
    if (tasks > 0) this.#tasks?.nudge();
    if (events === 0) return;
    this.#budget.raised();
    this.#departure.committed(withinMs);
  }

  #tellRelay(): void {
    if (this.#relay.status().leader) this.#relay.nudge();
    else this.#wakeUp.notify();
  }

  #operations(): Operations {
    const { service: group, log, registry, logger } = this.options;
    const units = this.units.context;
    const topic = `${group}.events`;
    return serviceOperations({
      letters: new DeadLetters({ group, units, logger, metrics: this.#letterMetrics }),
      groups: new ServiceGroup({
        group,
        topics: this.options.contracts.topics,
        units,
        log,
        consumer: () => this.#consumer,
      }),
      relay: new OutboxRelay({
        pool: this.pool,
        replay: this.#replay,
        beforeForgetting: async () => {
          for (const takeBack of this.#takeBack) await takeBack();
        },
      }),
      replay: this.#replay,
      topics: new ServiceTopic({ topic, log, pool: this.pool }),
      topicNames: [topic],
      relayStatus: () => this.#relay.status(),
      upkeep: this.#upkeep(),
      added: () => this.#findings,
      log,
      registry,
    });
  }

  #upkeep(): FindingSource[] {
    const { outboxRetentionDays, inboxRetentionDays } = this.options;
    return [
      { name: 'the outbox', findings: () => outboxDaysFindings(this.pool, outboxRetentionDays) },
      { name: 'the budget of the outbox', findings: () => this.#budget.findings() },
      { name: 'the inbox', findings: () => inboxFindings(this.pool, inboxRetentionDays) },
    ];
  }

  #topicLoop(): Loop {
    const { service, contracts, createTopics, log, logger } = this.options;
    const names = [...new Set([`${service}.events`, ...contracts.topics])];
    return new Loop({
      name: 'topics',
      idleMs: 60_000,
      round: async () => {
        if (!createTopics || this.#topicsReady) return 'wait';
        await log.createTopics(names.map((name) => ({ name, partitions: createTopics.partitions })));
        this.#topicsReady = true;
        return 'wait';
      },
      onError: (error, failures) => {
        logger.warn({ err: error, failures, topics: names }, 'topics could not be made yet, trying again');
      },
    });
  }
}
