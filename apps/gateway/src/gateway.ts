import { defineConfig, withEvents, type ServiceDefinition } from '@aura/service';
import { GatewayModule } from './gateway.module.js';

/** The gateway: what a browser meets. Takes photos, keeps them, and shows what became of them. */
export const gateway: ServiceDefinition = {
  config: defineConfig('gateway'),
  module: () => GatewayModule,
  configure: withEvents,
};
