import { integer } from '@aura/service';

/** What only this service is told. */
export const settings = {
  providerTimeoutMs: integer(10, 60_000)
    .default(1_500)
    .describe('How long to wait for an answer of the payment provider, per try (ms).'),
  simulatorSeed: integer(0, 2 ** 32 - 1)
    .optional()
    .describe('What the simulated provider draws its faults from; without it a random one, which is logged.'),
  simulatorFaultPercent: integer(0, 100)
    .default(10)
    .describe('How many in a hundred payments with `tok-random` meet a fault.'),
  simulatorOutageEveryMs: integer(0, 86_400_000)
    .default(0)
    .describe('The simulated provider has an outage this often (ms); 0: never.'),
  simulatorOutageForMs: integer(0, 86_400_000).default(0).describe('How long such an outage lasts (ms).'),
  simulatorKeyMemoryMs: integer(1, 10 ** 11)
    .default(24 * 3_600_000)
    .describe('How long the simulated provider remembers an idempotency key (ms).'),
} as const;
