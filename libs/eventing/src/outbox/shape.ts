import { InvariantError, run, statement, type Queryable } from '@aura/platform';

const COLUMNS = statement(
  'outbox_shape',
  `select xid.attnum as xid_column, xid.atttypid::regtype::text as xid_type,
          pg_get_expr(xid_default.adbin, xid_default.adrelid) as xid_default,
          position.attnum as position_column,
          (select seqcache::int from pg_sequence
            where seqrelid = pg_get_serial_sequence('aura.outbox', 'position')::regclass) as cache,
          current_setting('synchronous_commit') as synchronous_commit
     from (select 'aura.outbox'::regclass::oid as oid) as outbox
     left join pg_attribute as xid on xid.attrelid = outbox.oid and xid.attname = 'xid'
     left join pg_attrdef as xid_default
            on xid_default.adrelid = outbox.oid and xid_default.adnum = xid.attnum
     left join pg_attribute as position on position.attrelid = outbox.oid and position.attname = 'position'`,
);

interface Shape {
  xid_column: number | null;
  xid_type: string | null;
  xid_default: string | null;
  position_column: number | null;
  cache: number | null;
  synchronous_commit: string;
}

/**
 * Refuses an outbox whose gaps the relay could not judge (H7): each of these loses events without a word.
 * Throws `InvariantError` with the cure. `db` must have the settings that the writers of the outbox have.
 */
export async function checkOutboxShape(db: Queryable): Promise<void> {
  const [shape] = await run<Shape>(db, COLUMNS);
  if (!shape) throw new InvariantError('aura.outbox could not be inspected');
  if (shape.cache !== 1)
    throw new InvariantError(
      `aura.outbox.position hands out numbers ${shape.cache ?? 'by no identity'} at a time: a session ` +
        'keeps some for later transactions. Cure: alter table aura.outbox alter column position set cache 1',
    );
  const xidFirst = (shape.xid_column ?? Infinity) < (shape.position_column ?? 0);
  if (!xidFirst || shape.xid_type !== 'xid8' || shape.xid_default !== 'pg_current_xact_id()')
    throw new InvariantError(
      'aura.outbox.xid must be xid8, stand before position and default to pg_current_xact_id(): a position ' +
        'would be drawn before its transaction has an id. Cure: create the table by the migrations, not by ' +
        'a copy of it',
    );
  if (!['on', 'remote_apply'].includes(shape.synchronous_commit))
    throw new InvariantError(
      `synchronous_commit is ${shape.synchronous_commit}: a crash would take back what was published. ` +
        'Cure: set it to on for this database and role',
    );
}

const MARK_SESSION = statement('session_mark', `select set_config('aura.session', $1, false)`);
const READ_SESSION = statement('session_read', `select current_setting('aura.session', true) as mark`);

/**
 * Refuses a pooler that gives each transaction another backend: a session's advisory lock would be somebody
 * else's. `other` takes a backend while `session` is between two statements. Throws `InvariantError`.
 */
export async function checkSessionState(session: Queryable, other: Queryable, mark: string): Promise<void> {
  await run(session, MARK_SESSION, [mark]);
  await other.query({ text: 'begin' });
  try {
    const [seen] = await run<{ mark: string | null }>(session, READ_SESSION);
    const [theirs] = await run<{ mark: string | null }>(other, READ_SESSION);
    if (seen?.mark === mark && theirs?.mark !== mark) return;
  } finally {
    await other.query({ text: 'rollback' });
  }
  throw new InvariantError(
    'the relay is connected through a pooler in transaction mode: what one statement sets, the next one ' +
      'does not find. Cure: give the relay a direct connection to Postgres, or a pool in session mode',
  );
}
