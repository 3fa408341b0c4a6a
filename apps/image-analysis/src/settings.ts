import { url } from '@aura/service';

/** What only this service is told. */
export const settings = {
  gatewayUrl: url('http', 'https').describe('Where the gateway is: photos are fetched from it.'),
} as const;
