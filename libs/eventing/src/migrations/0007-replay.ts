import type { Migration } from './migration.js';

/** Jobs that replay the outbox. */
export const replay: Migration = {
  id: '0007-replay',
  sql: '',
};
