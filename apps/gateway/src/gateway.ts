import { defineConfig, withEvents, type ServiceDefinition } from '@aura/service';
import { GatewayModule } from './gateway.module.js';
import { settings } from './settings.js';

/**
 * The gateway: what a browser meets. Takes photos, keeps them, and shows what became of them; passes on what
 * other services own.
 */
export const gateway: ServiceDefinition<typeof settings> = {
  config: defineConfig('gateway', settings),
  module: () => GatewayModule,
  configure: withEvents,
};
