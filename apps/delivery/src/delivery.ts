import { defineConfig, withEvents, type ServiceDefinition } from '@aura/service';
import { DeliveryModule } from './delivery.module.js';
import { settings } from './settings.js';

/** Keeps addresses and delivery slots, and takes part in purchases with a place in a slot. */
export const delivery: ServiceDefinition<typeof settings> = {
  config: defineConfig('delivery', settings),
  module: () => DeliveryModule,
  configure: withEvents,
};
