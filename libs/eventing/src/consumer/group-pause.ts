/**
 * A group that stands still, for every replica and through restarts: the only statements on
 * `aura.group_pause`.
 */
import { InvariantError, run, statement, type Queryable } from '@aura/platform';

/** Who paused a group of which too many keys failed (H22). No operator's name has a space in it. */
export const BY_ITSELF = 'the group itself';

export interface GroupPause {
  readonly since: Date;
  readonly reason: string;
  readonly by: string;
}

/** Nothing of the group is handled until somebody resumes it; positions stay. */
export class GroupPausedError extends InvariantError {
  constructor(
    group: string,
    readonly pause: GroupPause,
  ) {
    super(
      `group ${group} is paused since ${pause.since.toISOString()} by ${pause.by}: ${pause.reason}. ` +
        'Nothing is lost: mend what failed, then `npm run aura -- groups resume`',
    );
  }
}

const FIND = statement(
  'group_pause_find',
  'select since, reason, by from aura.group_pause where consumer_group = $1',
);

/** The first reason stays. */
const INSERT = statement(
  'group_pause_insert',
  `insert into aura.group_pause (consumer_group, reason, by) values ($1, $2, $3)
       on conflict (consumer_group) do nothing
   returning consumer_group`,
);

const DELETE = statement(
  'group_pause_delete',
  'delete from aura.group_pause where consumer_group = $1 returning consumer_group',
);

/** Undefined while it runs. */
export async function findPause(db: Queryable, group: string): Promise<GroupPause | undefined> {
  const [row] = await run<{ since: Date; reason: string; by: string }>(db, FIND, [group]);
  return row;
}

/** False where it was paused already. */
export async function insertPause(
  db: Queryable,
  group: string,
  reason: string,
  by: string,
): Promise<boolean> {
  return (await run(db, INSERT, [group, reason, by])).length > 0;
}

/** Whether it was paused. */
export async function deletePause(db: Queryable, group: string): Promise<boolean> {
  return (await run(db, DELETE, [group])).length > 0;
}
