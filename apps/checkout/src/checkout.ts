import { defineConfig, withEvents, type ServiceDefinition } from '@aura/service';
import { checkoutModule } from './checkout.module.js';
import { settings } from './settings.js';

/** Buys outfits: starts a saga per purchase and coordinates it. Shows the returns of each. */
export const checkout: ServiceDefinition<typeof settings> = {
  config: defineConfig('checkout', settings),
  module: checkoutModule,
  configure: withEvents,
};
