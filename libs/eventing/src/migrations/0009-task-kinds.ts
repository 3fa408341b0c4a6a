import type { Migration } from './migration.js';

/**
 * Tasks are claimed kind by kind, oldest first: an index that gives them in that order. With one on `due_at`
 * alone a plan that read all entries and sorted them was the cheaper one, and only a scan in the index's own
 * order marks entries of ended tasks as dead: a busy service read thousands of them with every claim.
 *
 * A claim rewrites the row; with room on its page no index has to hear of it.
 *
 * Locks: ACCESS EXCLUSIVE on aura.task, which has few rows, for a moment.
 */
export const taskKinds: Migration = {
  id: '0009-task-kinds',
  sql: `
create index task_kind_due on aura.task (kind, due_at) where state = 'due';
drop index aura.task_due;
alter table aura.task set (fillfactor = 60);
`,
};
