/** Whether this database has all that its service decided. The only statements on `aura.saga_recalled`. */
import { HoldError } from '@aura/eventing';
import { statement } from '@aura/platform';
import type { Statements } from './store.js';

/**
 * Another one after every way back: a server that was restored from a backup, or took the place of one that
 * failed, has another start; a database that was put back on the same server has another oid, one whose
 * tables were put back has other tables. A server that was only started again looks the same as that: then it
 * is compared for nothing.
 */
const INCARNATION = `concat_ws('/', extract(epoch from pg_postmaster_start_time()),
  (select oid from pg_database where datname = current_database()), 'aura.saga'::regclass::oid)`;

/**
 * For other statements: false until this database was compared with the topic; again, where the relay has
 * found since that it went back, in whatever way.
 */
export const RECALLED = `exists (select from aura.saga_recalled as r
  where r.incarnation = ${INCARNATION}
    and not exists (select from aura.relay_finding as f
                     where f.code = 'database-went-back' and f.found_at > r.at))`;

const IS_RECALLED = statement('saga_is_recalled', `select ${RECALLED} as recalled`);
const SET_RECALLED = statement(
  'saga_set_recalled',
  `insert into aura.saga_recalled (incarnation, at) values (${INCARNATION}, clock_timestamp())
       on conflict (id) do update set incarnation = excluded.incarnation, at = excluded.at`,
);

export async function isRecalled(db: Statements): Promise<boolean> {
  const [row] = await db.run<{ recalled: boolean }>(IS_RECALLED);
  return row?.recalled ?? false;
}

export async function setRecalled(db: Statements): Promise<void> {
  await db.run(SET_RECALLED);
}

/** Throws `HoldError` until this database was compared with the topic. */
export async function assertRecalled(db: Statements): Promise<void> {
  if (!(await isRecalled(db)))
    throw new HoldError(
      'sagas wait until their database was compared with what the service has published: it was started ' +
        'anew or put back',
    );
}
