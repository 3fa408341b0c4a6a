import type { Migration } from './migration.js';

/** What slow start, pauses and moves of groups need. */
export const groups: Migration = {
  id: '0004-groups',
  sql: '',
};
