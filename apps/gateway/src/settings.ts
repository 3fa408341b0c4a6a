import { integer, url } from '@aura/service';

const owner = (name: string, what: string) =>
  url('http', 'https')
    .optional()
    .describe(`Where ${name} is: ${what} are passed on to it; without it a 503.`);

/** What only this service is told. */
export const settings = {
  checkoutUrl: owner('checkout', 'purchases'),
  inventoryUrl: owner('inventory', 'garments and quotes'),
  deliveryUrl: owner('delivery', 'addresses, slots and returns'),
  paymentsUrl: owner('payments', 'payment methods'),
  forwardTimeoutMs: integer(10, 600_000)
    .default(25_000)
    .describe(
      'How long a service may take for a request that is passed on (ms); less than AURA_HTTP_TIMEOUT_MS.',
    ),
} as const;
