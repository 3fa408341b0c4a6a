import { timeOf, type EventEnvelope } from '@aura/contracts';
import type { Work } from '@aura/eventing';
import { statement, type Logger } from '@aura/platform';
import type * as protocol from '../generated/protocol.js';
import type { CoordinatorEvents } from './announce.js';

type Question = Pick<protocol.DecisionAsked, 'sagaId' | 'branch' | 'branchType'>;

/** The type of sagas that were asked for, but never known here. */
export const UNKNOWN = 'unknown';

const PURGE_MARK = statement('saga_purge_mark', 'select mark from aura.saga_purged');

/**
 * What is presumed of them is written down before it is said, so that it stays so. Of those that may have
 * been purged nothing is presumed: they have an operator's attention.
 */
const PRESUME = statement(
  'saga_presume',
  `insert into aura.saga (id, type, version, phase, state, later, trace, revision, attention, started_at,
                          decided_at, ended_at)
   select w.id, '${UNKNOWN}', 0, case when w.purged then 'PREPARING' else 'ABORTED' end,
          w.state::jsonb, '{}', '{}', 1, case when w.purged then 'purged' end, $4,
          case when not w.purged then $4::timestamptz end, case when not w.purged then $4::timestamptz end
     from unnest($1::uuid[], $2::boolean[], $3::text[]) as w(id, purged, state)
       on conflict (id) do nothing`,
);

/** Also of those that were presumed aborted before. */
const ABORTED = statement(
  'saga_presumed',
  `select id from aura.saga where id = any($1::uuid[]) and phase in ('ABORTING', 'ABORTED')`,
);

/** C2 of coordinator.ts. Answers each question whose saga is presumed aborted. */
export async function presumeAborted(
  events: CoordinatorEvents,
  questions: readonly EventEnvelope<Question>[],
  work: Work,
  logger: Logger,
): Promise<void> {
  const [row] = await work.run<{ mark: Date }>(PURGE_MARK);
  const mark = row?.mark.getTime() ?? 0;
  const isPurged = (id: string): boolean => (timeOf(id)?.getTime() ?? 0) <= mark;
  const ids = [...new Set(questions.map(({ payload }) => payload.sagaId))].toSorted();
  await work.run(PRESUME, [ids, ids.map(isPurged), ids.map((id) => stateOf(isPurged(id))), work.now]);
  const aborted = new Set((await work.run<{ id: string }>(ABORTED, [ids])).map(({ id }) => id));
  for (const cause of questions) {
    const { sagaId, branch, branchType } = cause.payload;
    if (!aborted.has(sagaId)) {
      logger.error(
        { sagaId, branch, branchType },
        'sagas: a participant holds for a saga that may have been purged here: decide by hand',
      );
      continue;
    }
    logger.warn({ sagaId, branch, branchType }, 'sagas: nothing is known of this saga, presumed aborted');
    work.raise(events.repeated.of({ sagaId, branch, branchType, decision: 'ABORTED' }), {
      cause,
      correlationId: sagaId,
    });
  }
}

function stateOf(purged: boolean): string {
  const why = { code: 'unknown', text: 'nothing was known of it: presumed aborted' };
  const attention = { code: 'purged', text: 'it may have been purged here: decide by hand' };
  return JSON.stringify({
    phase: purged ? 'PREPARING' : 'ABORTED',
    branches: [],
    deadline: 0,
    attentionMs: 0,
    movedAt: 0,
    why: purged ? null : why,
    attention: purged ? attention : null,
  });
}
