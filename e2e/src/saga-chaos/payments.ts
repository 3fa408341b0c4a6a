/** The real payments, with the limits of a crash test. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CapturePaymentsTask,
  GuardedProvider,
  PaymentMethods,
  PaymentParticipant,
  SimulatedProvider,
} from '@aura/payments';
import { Sagas } from '@aura/saga';
import { PaymentHold } from '@aura/schemas';
import { Pool } from 'pg';
import { consoleLogger as logger } from '../console-logger.js';
import type { Service } from '../service.js';
import type { ServiceSettings } from '../settings.js';
import { running } from './services.js';

/** How long the provider is waited for, and how long what it does late, or slowly, takes. */
const TIMEOUT_MS = 600;
const LATE_MS = 1_500;
const SLOW_MS = 300;
const FAULT_RATE = 0.2;
/** A killed process takes the queue of its simulated provider with it: nothing arrives later than this. */
const ARRIVAL_LIMIT_MS = 5_000;
const DAY_MS = 86_400_000;

export async function startPayments(settings: ServiceSettings): Promise<Service> {
  const simulated = new SimulatedProvider({
    pool: new Pool({ connectionString: settings.databaseUrl, max: 4 }).on('error', (error) =>
      logger.warn({ err: error }, 'an idle connection broke'),
    ),
    chance: { seed: 1, faultRate: FAULT_RATE },
    keyMemoryMs: DAY_MS,
    slowMs: SLOW_MS,
    late: (signal) => sleep(LATE_MS, undefined, { signal, ref: false }),
  });
  const provider = new GuardedProvider(simulated, { timeoutMs: TIMEOUT_MS });
  let participant: PaymentParticipant | undefined;
  const sagas = new Sagas({
    service: 'payments',
    logger,
    participates: [
      {
        type: PaymentHold,
        participant: () => participant as never,
      },
    ],
  });
  const service = await running(settings, 'payments', sagas, ({ entities }) => {
    participant = new PaymentParticipant(new PaymentMethods(entities), provider);
    Object.assign(participant, { limits: { arrivalLimitMs: ARRIVAL_LIMIT_MS } });
    return [new CapturePaymentsTask(provider)];
  });
  return { ...service, close: () => service.close().then(() => simulated.close()) };
}
