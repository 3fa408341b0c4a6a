/**
 * Questions about sagas that this service does not know (C2 of coordinator.ts).
 *
 * U1 presumed aborted: written down before it is said, so that it stays so;
 * U2 not of one that may have been purged (`saga_purged.mark`): it may have committed. It gets a row with the
 *    branches that ask, and an operator's attention: only people can find out (`sagas resolve`);
 * U3 a question counts only from the owner of its branch (H28).
 */
import { timeOf } from '@aura/contracts';
import type { Work } from '@aura/eventing';
import { statement, type Logger } from '@aura/platform';
import type { CoordinatorEvents } from './announce.js';
import type { Said } from './hearing.js';
import { movesOf, planOf } from './saga-row.js';
import { branchOf, evolve, isDecided, isEnded, ownerOf, PURGED, UNKNOWN, type Fact } from './saga-state.js';
import type { SagaState } from './saga-state.js';
import { lockSagas, writeSteps, type KnownSaga, type SteppedSaga } from './store.js';

const PURGE_MARK = statement('saga_purge_mark', 'select mark from aura.saga_purged');

const PRESUME = statement(
  'saga_presume',
  `insert into aura.saga (id, type, version, phase, plan, state, later, trace, revision, attention,
                          started_at, decided_at, ended_at)
   select w.id, '${UNKNOWN}', 0, case when w.purged then 'PREPARED' else 'ABORTED' end,
          $5::jsonb, w.state::jsonb, '{}', '{}', 1, case when w.purged then '${PURGED}' end, $4,
          case when not w.purged then $4::timestamptz end, case when not w.purged then $4::timestamptz end
     from unnest($1::uuid[], $2::boolean[], $3::text[]) as w(id, purged, state)
       on conflict (id) do nothing`,
);

/** Answers each question, as far as there is an answer. Sagas of other types are left alone. */
export async function answerUnknown(
  events: CoordinatorEvents,
  questions: readonly Said[],
  work: Work,
  logger: Logger,
): Promise<void> {
  const own = questions.filter(isOwn); // U3
  for (const { sagaId, branch, branchType, topic } of questions.filter((each) => !isOwn(each)))
    logger.error(
      { sagaId, branch, branchType, topic },
      'sagas: a question did not come from the owner of its branch, left out',
    );
  if (own.length === 0) return;
  const at = work.now.getTime();
  const sagas = await presumed(own, work);
  const steps = new Map<string, SteppedSaga>();
  for (const { sagaId, branch, branchType, cause } of own) {
    const saga = sagas.get(sagaId);
    if (!saga) continue;
    const before = steps.get(sagaId) ?? { saga, next: saga.state, facts: [] };
    const facts = told(before.next, branch, branchType);
    const next = evolve(before.next, facts, at);
    if (facts.length > 0) steps.set(sagaId, { saga, next, facts: [...before.facts, ...facts] });
    if (isDecided(next)) {
      const decision = next.phase.startsWith('COMMITT') ? 'COMMITTED' : 'ABORTED';
      logger.warn({ sagaId, branch, branchType, decision }, 'sagas: nothing else is known of this saga here');
      const answer = events.repeated.of({ sagaId, branch, branchType, decision });
      work.raise(answer, { correlationId: sagaId, ...(cause ? { cause } : {}) });
    } else if (facts.length > 0)
      logger.error(
        { sagaId, branch, branchType },
        'sagas: a participant holds for a saga that may have been purged here: decide by hand',
      );
  }
  await writeSteps(work, [...steps.values()], work.now);
}

function isOwn({ branchType, topic }: Said): boolean {
  return topic === `${ownerOf(branchType)}.events`;
}

/** The questions' sagas of which nothing else is known, locked; written down now where they are new. */
async function presumed(questions: readonly Said[], work: Work): Promise<Map<string, KnownSaga>> {
  const [row] = await work.run<{ mark: Date }>(PURGE_MARK);
  const mark = row?.mark.getTime() ?? -Infinity;
  const isPurged = (id: string): boolean => (timeOf(id)?.getTime() ?? -Infinity) <= mark;
  const ids = [...new Set(questions.map(({ sagaId }) => sagaId))].toSorted();
  const states = ids.map((id) => JSON.stringify(movesOf(isPurged(id) ? PERHAPS_PURGED : PRESUMED, NO_PLAN)));
  await work.run(PRESUME, [ids, ids.map(isPurged), states, work.now, JSON.stringify(NO_PLAN)]);
  const sagas = await lockSagas(work, ids);
  return new Map(sagas.filter(({ type }) => type === UNKNOWN).map((saga) => [saga.id, saga]));
}

/** U2: what asks, holds; in the row of one that has ended nothing is to be followed any more. */
function told(state: SagaState, branch: string, branchType: string): Fact[] {
  return isEnded(state) || branchOf(state, branch) ? [] : [{ fact: 'holds', branch, branchType }];
}

const NOTHING = { branches: [], deadline: 0, attentionMs: 120_000, movedAt: 0 } as const;
const PRESUMED: SagaState = {
  ...NOTHING,
  phase: 'ABORTED',
  why: { code: 'unknown', text: 'nothing was known of it: presumed aborted' },
  attention: null,
};
const BY_HAND = {
  code: PURGED,
  text: 'it may have been decided and purged here: find out, then resolve a branch by hand',
};
const PERHAPS_PURGED: SagaState = { ...NOTHING, phase: 'PREPARED', why: BY_HAND, attention: BY_HAND };
const NO_PLAN = planOf(PRESUMED);
