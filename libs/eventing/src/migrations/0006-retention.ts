import type { Migration } from './migration.js';

/** What retention, low-water marks and the budget of the outbox need. */
export const retention: Migration = {
  id: '0006-retention',
  sql: '',
};
