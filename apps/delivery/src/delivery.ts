import { defineConfig, withEvents, type ServiceDefinition } from '@aura/service';
import { deliveryModule } from './delivery.module.js';
import { settings } from './settings.js';

/** Keeps addresses and slots, takes part in purchases with a place in one, and coordinates returns. */
export const delivery: ServiceDefinition<typeof settings> = {
  config: defineConfig('delivery', settings),
  module: deliveryModule,
  configure: withEvents,
};
