/** Sagas that were written before plans were apart (0001 to 0003) are the same under 0004. */
import { randomUUID } from 'node:crypto';
import { migrate } from '@aura/eventing';
import { withClient } from '@aura/platform';
import { testDatabase, type TestDatabase } from '@aura/testing';
import { Pool } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stateOf } from '../coordinator/view.js';
import type { SagaState } from '../coordinator/saga-state.js';
import { coordinatorTables } from './0001-coordinator.js';
import { participantTables } from './0002-participant.js';
import { recalledTable } from './0003-recalled.js';
import { sagaTables } from './saga-tables.js';

let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await testDatabase('saga_plans');
  pool = new Pool({ connectionString: database.url });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const unanswered = { cancelAsked: false, reply: null, refusal: null } as const;
const branch = { type: 'stock.Hold', owner: 'stock', kind: 'reservable', after: [] } as const;
const why = { code: 'sold-out', text: 'none is left', branch: 'money' };
const times = { deadline: 1_764_331_260_000, attentionMs: 120_000, movedAt: 1_764_331_200_123 };
const ABORTING: SagaState = {
  ...times,
  phase: 'ABORTING',
  why,
  attention: { code: 'silent', text: 'stock did not answer' },
  branches: [
    { ...branch, ...unanswered, name: 'stock', state: 'PREPARED', reply: 'null', cancelAsked: true },
    { ...branch, ...unanswered, name: 'money', after: ['stock'], state: 'REFUSED', refusal: why },
  ],
};
const NOTHING_KNOWN: SagaState = { ...times, phase: 'ABORTED', why, attention: null, branches: [] };

it('each has the state that it had', async () => {
  const earlier = [coordinatorTables, participantTables, recalledTable];
  await withClient(pool, (client) => migrate(client, { ...sagaTables, migrations: earlier }));
  const ids = [];
  for (const state of [ABORTING, NOTHING_KNOWN]) {
    ids.push(randomUUID());
    await pool.query(
      `insert into aura.saga (id, type, version, phase, state, later, trace, revision, started_at, decided_at,
                              ended_at)
       values ($1, 'purchase', 1, $2, $3, '{}', '{}', 1, now(), now(),
               case when $2 = 'ABORTED' then now() end)`,
      [ids.at(-1), state.phase, JSON.stringify(state)],
    );
  }
  await withClient(pool, (client) => migrate(client, sagaTables));
  const states = await Promise.all(ids.map(async (id) => (await stateOf(pool, id))?.state));
  expect(states).toEqual([ABORTING, NOTHING_KNOWN]);
});
