import { integer, url } from '@aura/service';

/** What only this service is told. */
export const settings = {
  inventoryUrl: url('http', 'https').describe('Where inventory is: it says what a basket costs.'),
  purchaseWaitMs: integer(0, 20_000)
    .default(3_000)
    .describe('How long a purchase waits for its decision before it is answered with 202 (ms).'),
  purchasePrepareMs: integer(100, 600_000)
    .default(10_000)
    .describe('How long stock, payment and delivery have to prepare a purchase (ms).'),
} as const;
