import type { Work } from '@aura/eventing';
import { statement } from '@aura/platform';
import { prepared, refused, type Ask, type Participant } from '../src/index.js';
import type { Wanted } from './branches.js';

/** What a participant of the specs did, in its own table: one row per branch. */
export const HOLDS = `create table hold (
  saga_id uuid not null, branch text not null, what text not null, state text not null,
  primary key (saga_id, branch))`;

const HOLD = statement('hold_insert', 'insert into hold values ($1, $2, $3, $4)');
const END = statement(
  'hold_end',
  `update hold set state = $3 where saga_id = $1 and branch = $2 and state = 'HELD' returning state`,
);

async function end({ sagaId, branch }: Ask, state: string, work: Work): Promise<void> {
  const rows = await work.run(END, [sagaId, branch, state]);
  if (rows.length !== 1) throw new Error(`branch ${branch} of ${sagaId} is not held`);
}

/**
 * Holds whatever is wanted, but refuses what is called `none`. Its table's key and states make it fail where
 * a phase takes effect twice.
 */
export function holding(): Participant<Wanted> {
  return {
    async prepare({ sagaId, branch, input }, work) {
      if (input.what === 'none') return refused('sold-out', 'none is left');
      await work.run(HOLD, [sagaId, branch, input.what, 'HELD']);
      return prepared({ holds: input.what });
    },
    commit: (ask, work) => end(ask, 'TAKEN', work),
    cancel: (ask, work) => end(ask, 'GIVEN BACK', work),
  };
}
