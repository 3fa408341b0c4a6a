import type { Migration } from './migration.js';

/** What the relay's checks after time went backwards need (E10). */
export const relayEpochs: Migration = {
  id: '0005-relay-epochs',
  sql: '',
};
