import { barrier } from '../../src/barrier.js';
import { decide } from '../../src/coordinator/decide.js';

/** What the model runs: the real functions, or mutants of them that it has to catch. */
export interface Rules {
  readonly decide: typeof decide;
  readonly barrier: typeof barrier;
}

export const REAL: Rules = { decide, barrier };

/** A cancel that comes first leaves nothing behind. */
export const NO_TOMBSTONE: Rules = {
  decide,
  barrier(kind, state, ask) {
    const action = barrier(kind, state, ask);
    return action.do === 'bury' ? { do: 'answer-cancelled', ran: false } : action;
  },
};

/** A prepare that comes after its cancel is prepared. */
export const LATE_PREPARE_SAYS_YES: Rules = {
  decide,
  barrier(kind, state, ask) {
    const action = barrier(kind, state, ask);
    return action.do === 'refuse-cancelled' ? { do: 'prepare' } : action;
  },
};

/** The first yes commits. */
export const DECIDES_BEFORE_VOTES: Rules = {
  barrier,
  decide(state, event, at) {
    const facts = decide(state, event, at);
    const isYes = facts.length > 0 && event.type === 'prepared';
    const decided = facts.some(({ fact }) => fact === 'committed' || fact === 'aborted');
    return isYes && !decided ? [...facts, { fact: 'committed' }] : facts;
  },
};

/** The deadline aborts, also while a pivot is under way (H9). */
export const DEADLINE_ABORTS_PIVOT: Rules = {
  barrier,
  decide(state, event, at) {
    const facts = decide(state, event, at);
    const wanted = facts.find((each) => each.fact === 'abort-wanted');
    if (!wanted) return facts;
    const open = state.branches.filter(
      ({ kind, state: is }) => kind === 'compensatable' && is === 'PREPARED',
    );
    const last = open.at(-1);
    return [
      { fact: 'aborted', why: wanted.why },
      ...(last ? [{ fact: 'cancel-asked', branch: last.name } as const] : []),
    ];
  },
};
