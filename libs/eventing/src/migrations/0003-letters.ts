import type { Migration } from './migration.js';

/** What retries, redrive and caps of letters need. */
export const letters: Migration = {
  id: '0003-letters',
  sql: '',
};
