import { EventingHost } from '@aura/eventing';
import { Shutdown, type Clock, type Logger } from '@aura/platform';
import {
  Inject,
  Injectable,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import type { AnySaga } from '../definition.js';
import { Sagas } from '../sagas.js';
import { participantsIn } from './participant-of.js';

export interface SagaModuleOptions {
  /** The sagas that this service starts: every version that is still in use. */
  readonly coordinates: readonly AnySaga[];
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: (...injected: never[]) => {
    readonly service: string;
    readonly logger: Logger;
    readonly clock?: Clock;
    readonly retentionDays?: number;
  };
}

/**
 * Provides `Sagas` of a Nest application: those it starts, and the branches of its providers under
 * `@ParticipantOf`. Made before the event path, whose contracts it completes; `SagaHost` runs it.
 */
@Module({})
export class SagaModule {
  static forRootAsync({ coordinates, inject = [], useFactory }: SagaModuleOptions): DynamicModule {
    return {
      module: SagaModule,
      global: true,
      imports: [DiscoveryModule],
      providers: [
        {
          provide: Sagas,
          inject: [DiscoveryService, ...inject],
          useFactory: (discovery: DiscoveryService, ...injected: never[]) =>
            new Sagas({
              ...useFactory(...injected),
              coordinates,
              participates: participantsIn(discovery).map(({ type, instance }) => ({
                type,
                participant: instance,
              })),
            }),
        },
      ],
      exports: [Sagas],
    };
  }
}

/** Joins `Sagas` to the application's event path: a provider beside it. */
@Injectable()
export class SagaHost implements OnModuleInit, OnApplicationBootstrap {
  constructor(
    @Inject(EventingHost) private readonly host: EventingHost,
    @Inject(Sagas) private readonly sagas: Sagas,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
  ) {}

  async onModuleInit(): Promise<void> {
    if (!this.sagas.hasPart) return;
    await this.sagas.prepare(this.host.eventing);
    this.host.contribute(this.sagas.handlers());
    this.host.eventing.addTasks(this.sagas.tasks());
    this.shutdown.add('work', 'sagas', () => this.sagas.stop());
  }

  /** Everybody's tables are there now. */
  onApplicationBootstrap(): void {
    if (this.sagas.hasPart) this.sagas.start();
  }
}
