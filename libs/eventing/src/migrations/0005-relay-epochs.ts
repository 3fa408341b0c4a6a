import type { Migration } from './migration.js';

/**
 * What the relay's checks after time went backwards need (E10), and the flag by which any replica asks the
 * leader to resume a parked key (H31).
 *
 * - `relay_cursor.epoch` is raised by every mend: a leader that has loaded an older one can save nothing;
 *   `replays`: jobs that have to end before publishing goes on.
 * - `relay_finding`: why the leader has stopped, for every replica to show; gone with the next clean check.
 *
 * Locks: ACCESS EXCLUSIVE on the relay's two tables, each for a moment (constant defaults: nothing is
 * rewritten). The relay waits as long; writers of events touch neither.
 */
export const relayEpochs: Migration = {
  id: '0005-relay-epochs',
  sql: `
alter table aura.relay_cursor add column epoch bigint not null default 0,
                              add column replays text[] not null default '{}';
alter table aura.relay_parked_key add column resume_requested timestamptz;

-- Every mend of the relay: since when, after what, and what was done.
create table aura.relay_epoch (
  epoch bigint primary key,
  began_at timestamptz not null default clock_timestamp(),
  code text not null,
  done text not null
);

-- details: what a mend needs of what was found.
create table aura.relay_finding (
  code text primary key,
  subject text not null,
  words text not null,
  details jsonb not null,
  found_at timestamptz not null default clock_timestamp()
);
`,
};
