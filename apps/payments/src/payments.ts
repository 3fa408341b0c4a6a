import { defineConfig, withEvents, type ServiceDefinition } from '@aura/service';
import { PaymentsModule } from './payments.module.js';
import { settings } from './settings.js';

/** Holds and captures money for purchases, pays back returns, and keeps the ledger of it. */
export const payments: ServiceDefinition<typeof settings> = {
  config: defineConfig('payments', settings),
  module: () => PaymentsModule,
  configure: withEvents,
};
