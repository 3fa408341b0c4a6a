import { defineConfig, withEvents, type ServiceDefinition } from '@aura/service';
import { InventoryModule } from './inventory.module.js';

/** Owns the catalogue and the stock; takes part in purchases and returns with it. */
export const inventory: ServiceDefinition = {
  config: defineConfig('inventory'),
  module: () => InventoryModule,
  configure: withEvents,
};
