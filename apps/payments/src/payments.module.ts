import { randomInt } from 'node:crypto';
import { keepPlansFresh, noteInTrace, Shutdown, type Clock, type Logger } from '@aura/platform';
import { CLOCK, CONFIG, databaseModule, eventsModule, LOGGER, type Config } from '@aura/service';
import { Module } from '@nestjs/common';
import { Pool } from 'pg';
import { CapturePaymentsTask } from './capture-payments.task.js';
import { PaymentMethod } from './entities/payment-method.entity.js';
import { PaymentMethodsController } from './http/payment-methods.controller.js';
import { PaymentsController } from './http/payments.controller.js';
import { Ledger1764100000000 } from './migrations/1764100000000-ledger.js';
import { SimulatedProvider1764100000001 } from './migrations/1764100000001-simulated-provider.js';
import { Refunds1764331200000 } from './migrations/1764331200000-refunds.js';
import { PaymentMethods } from './payment-methods.js';
import { PaymentParticipant } from './payment.participant.js';
import { GuardedProvider } from './provider/guarded-provider.js';
import { PAYMENT_PROVIDER } from './provider/payment-provider.js';
import { RefundParticipant } from './refund.participant.js';
import type { settings } from './settings.js';
import { SimulatedProvider } from './simulator/simulated-provider.js';

type Settings = Config<typeof settings>;

@Module({
  imports: [
    databaseModule({
      entities: [PaymentMethod],
      migrations: [Ledger1764100000000, SimulatedProvider1764100000001, Refunds1764331200000],
    }),
    eventsModule({ publishes: [], subscribes: [] }),
  ],
  controllers: [PaymentMethodsController, PaymentsController],
  providers: [
    PaymentMethods,
    PaymentParticipant,
    RefundParticipant,
    CapturePaymentsTask,
    { provide: SimulatedProvider, inject: [CONFIG, LOGGER, CLOCK, Shutdown], useFactory: simulator },
    {
      provide: PAYMENT_PROVIDER,
      inject: [CONFIG, SimulatedProvider],
      useFactory: (config: Settings, provider: SimulatedProvider) =>
        new GuardedProvider(provider, {
          timeoutMs: config.providerTimeoutMs,
          onAgain: (afterMs) =>
            noteInTrace('the provider is asked again', { 'aura.retry.after_ms': afterMs }),
        }),
    },
  ],
})
export class PaymentsModule {}

/** In this process, but with connections of its own: it knows nothing of the service's transactions. */
function simulator(config: Settings, logger: Logger, clock: Clock, shutdown: Shutdown): SimulatedProvider {
  const pool = new Pool({
    connectionString: config.databaseUrl.reveal(),
    application_name: `${config.name} simulated provider`,
    max: 4,
    connectionTimeoutMillis: 10_000,
    query_timeout: 10_000,
  });
  keepPlansFresh(pool);
  pool.on('error', (error) => logger.warn({ error }, 'an idle connection of the simulated provider broke'));
  const seed = config.simulatorSeed ?? randomInt(2 ** 32);
  const faultRate = config.simulatorFaultPercent / 100;
  logger.info({ seed, fault_rate: faultRate }, 'the payment provider is simulated');
  const provider = new SimulatedProvider({
    pool,
    clock,
    chance: { seed, faultRate },
    keyMemoryMs: config.simulatorKeyMemoryMs,
    outages: { everyMs: config.simulatorOutageEveryMs, forMs: config.simulatorOutageForMs },
  });
  shutdown.add('producer', 'simulated provider', () => provider.close());
  return provider;
}
