import type { MigrationSet } from '@aura/eventing';
import { coordinatorTables } from './0001-coordinator.js';
import { participantTables } from './0002-participant.js';
import { recalledTable } from './0003-recalled.js';
import { plans } from './0004-plans.js';

/** In order, forward only; one that has been released is never changed. */
export const sagaTables: MigrationSet = {
  table: 'saga_migration',
  migrations: [coordinatorTables, participantTables, recalledTable, plans],
};
