import type { Clock, Logger } from '@aura/platform';
import { Shutdown } from '@aura/platform';
import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { ServiceTokens } from './auth/service-tokens.js';
import type { Config } from './config/config.js';
import { Health } from './health/health.js';
import { HealthController } from './health/health.controller.js';
import { EventStreams } from './http/event-streams.js';
import { CLOCK, CONFIG, LOGGER, START_SIGNAL } from './tokens.js';

/** What startService makes before Nest, and gives to every provider. */
export interface ServiceParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly shutdown: Shutdown;
  readonly health: Health;
  readonly streams: EventStreams;
  /** Aborted when the start is no longer wanted. */
  readonly startSignal: AbortSignal;
}

/** The root module: the parts, for injection everywhere, and the service's own module. */
@Module({})
export class ServiceModule {
  static around(module: Type | DynamicModule, parts: ServiceParts): DynamicModule {
    const { config, logger, clock, shutdown, health, streams } = parts;
    const providers = [
      { provide: CONFIG, useValue: config },
      { provide: LOGGER, useValue: logger },
      { provide: CLOCK, useValue: clock },
      { provide: Shutdown, useValue: shutdown },
      { provide: Health, useValue: health },
      { provide: START_SIGNAL, useValue: parts.startSignal },
      { provide: EventStreams, useValue: streams },
      { provide: ServiceTokens, useValue: new ServiceTokens(config.name, config.serviceTokenSecret, clock) },
    ];
    return {
      module: ServiceModule,
      global: true,
      imports: [module],
      controllers: [HealthController],
      providers,
      exports: providers.map(({ provide }) => provide),
    };
  }
}
