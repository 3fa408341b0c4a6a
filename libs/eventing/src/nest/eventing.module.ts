import { InvariantError, Shutdown } from '@aura/platform';
import {
  Inject,
  Injectable,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type INestApplication,
  type ModuleMetadata,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { Eventing, type EventingOptions } from '../eventing.js';
import type { EventHandler, Handlers } from '../consumer/handlers.js';
import type { AnyTaskHandler } from '../tasks/task.js';
import { UnitsOfWork } from '../unit-of-work/units-of-work.js';
import { AuraTransport, connectTransport } from './transport-strategy.js';

/** Marks a provider that implements `TaskHandler`: its tasks run in this service. */
export const Tasks = DiscoveryService.createDecorator<void>();

const OPTIONS = Symbol('aura.eventing-options');

export interface EventingModuleOptions {
  readonly imports?: ModuleMetadata['imports'];
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: (...injected: never[]) => EventingOptions | Promise<EventingOptions>;
}

/**
 * Builds the event path when the module is made, so that the outbox is there before anything can be raised.
 */
@Injectable()
export class EventingHost implements OnModuleInit {
  readonly eventing: Eventing;
  readonly #service: string;
  readonly #subscribed: readonly string[];
  readonly #contributed: EventHandler[] = [];

  constructor(
    @Inject(OPTIONS) options: EventingOptions,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    private readonly discovery: DiscoveryService,
  ) {
    this.eventing = new Eventing(options);
    this.#service = options.service;
    this.#subscribed = options.contracts.subscriptions;
  }

  async onModuleInit(): Promise<void> {
    await this.eventing.prepare();
    this.shutdown.add('consumers', 'consumer', () => this.eventing.stopConsuming());
    this.shutdown.add('work', 'tasks', () => this.eventing.stopTasks());
    this.shutdown.add('relay', 'relay', () => this.eventing.stopPublishing());
    await this.eventing.run(this.#taskHandlers());
  }

  /** Handlers of another lib, beside those under `@On`: before the application listens. */
  contribute(handlers: readonly EventHandler[]): void {
    this.#contributed.push(...handlers);
  }

  /** Called by the transport, with every method that Nest found under `@On`. */
  async consume(found: Handlers): Promise<void> {
    const handlers = found.with(this.#contributed);
    const handled = handlers.types();
    const problems = [
      ...without(handled, this.#subscribed).map(
        (type) => `${type} has a handler, but is not in "subscribes"`,
      ),
      ...without(this.#subscribed, handled).map((type) => `${type} is in "subscribes", but has no handler`),
    ];
    if (problems.length > 0)
      throw new InvariantError(`${this.#service} can't consume: ${problems.join('; ')}`);
    await this.eventing.consume(handlers);
  }

  #taskHandlers(): AnyTaskHandler[] {
    return this.discovery
      .getProviders()
      .filter(
        (wrapper) => wrapper.metatype && this.discovery.getMetadataByDecorator(Tasks, wrapper) !== undefined,
      )
      .map((wrapper) => wrapper.instance as AnyTaskHandler);
  }
}

function without(all: readonly string[], some: readonly string[]): string[] {
  return all.filter((name) => !some.includes(name));
}

/**
 * The event path for a Nest application: provides `UnitsOfWork`; runs what `@On` and `@Tasks` mark. Needs
 * `Shutdown` of
 * @aura/platform as a provider, and one call of `connectEventing(app)` before the application listens.
 */
@Module({})
export class EventingModule {
  static forRootAsync({ imports = [], inject = [], useFactory }: EventingModuleOptions): DynamicModule {
    return {
      module: EventingModule,
      global: true,
      imports: [DiscoveryModule, ...imports],
      providers: [
        { provide: OPTIONS, inject, useFactory },
        EventingHost,
        {
          provide: UnitsOfWork,
          inject: [EventingHost],
          useFactory: (host: EventingHost) => host.eventing.units,
        },
      ],
      exports: [EventingHost, UnitsOfWork],
    };
  }
}

/**
 * Connects the transport: the consumer starts with `app.startAllMicroservices()`, behind the guards, pipes,
 * interceptors and filters of its handlers. Stopping is `Shutdown`'s.
 */
export function connectEventing(app: INestApplication): void {
  const host = app.get(EventingHost);
  const transport = new AuraTransport(
    (handlers) => host.consume(handlers),
    () => host.eventing.stopConsuming(),
  );
  connectTransport(app, transport);
}
