import type { Migration } from '@aura/eventing';

/**
 * For which database as it is now the sagas are known to be as the service's topic has them
 * (amnesia.ts). A copy that was put back carries the row of the one that it was taken from, and so is seen.
 *
 * Locks: none, it is a new table.
 */
export const recalledTable: Migration = {
  id: '0003-recalled',
  sql: `
    create table aura.saga_recalled (
      id int primary key default 1 check (id = 1),
      incarnation text not null,
      at timestamptz not null
    );
  `,
};
