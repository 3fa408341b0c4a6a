import type { Migration } from './migration.js';

/**
 * What retries, redrive and caps of letters need.
 *
 * - `parked_key.letters` counts the key's letters, `letter_count` those of a group: caps are kept without
 *   counting rows (H52). Both are only bounds: whether a queue is empty is asked of the letters themselves.
 * - `parked_key.task_id` is the one task that may try the key next; null where none will (dead). A task that
 *   is no longer named there does nothing, so an operator's redrive and a retry never count twice.
 * - Keys that were parked before there were retries get their first one now.
 *
 * Locks: ACCESS EXCLUSIVE on `parked_key` for the transaction; new columns with constant defaults rewrite
 * nothing, and both tables hold at most what is parked. A replica of before this migration goes on parking;
 * its keys are not counted and not retried until somebody redrives them.
 */
export const letters: Migration = {
  id: '0003-letters',
  sql: `
alter table aura.parked_key
  add column letters bigint not null default 0,
  add column task_id uuid check ((task_id is null) or state = 'retrying');

create table aura.letter_count (
  consumer_group text primary key,
  letters bigint not null check (letters >= 0)
) with (fillfactor = 50);

update aura.parked_key k
   set letters = (select count(*) from aura.letter l
                   where l.consumer_group = k.consumer_group and l.topic = k.topic and l.key = k.key);
insert into aura.letter_count (consumer_group, letters)
select consumer_group, count(*) from aura.letter group by consumer_group;

update aura.parked_key set task_id = gen_random_uuid() where state = 'retrying';
insert into aura.task (id, kind, key, due_at, payload)
select task_id, 'aura.redrive', topic || '/' || key, clock_timestamp(),
       jsonb_build_object('topic', topic, 'key', key)
  from aura.parked_key where task_id is not null;
`,
};
