/**
 * One step of many sagas: what was heard of each, folded by `decide`, written with one statement, and
 * announced. Inside the caller's transaction.
 */
import type { EventEnvelope } from '@aura/contracts';
import type { Work } from '@aura/eventing';
import { announcements, type CoordinatorEvents } from './announce.js';
import { decide, type SagaEvent } from './decide.js';
import { evolve, isDecided, type Fact, type SagaState } from './saga-state.js';
import { inTraceOf } from './step-span.js';
import { writeSteps, type KnownSaga, type SteppedSaga } from './store.js';

/** Something that was heard of a saga, and the event that said it. */
export interface Heard {
  readonly sagaId: string;
  readonly event: SagaEvent;
  /** Undefined: a timer, or a caller of this service. */
  readonly cause?: EventEnvelope;
  /** `traceparent` and `tracestate` of where it was said; where there are none, the saga's own are taken. */
  readonly trace?: Readonly<Record<string, string>>;
}

/** A saga that a step moved. */
export interface Stepped extends SteppedSaga {
  /** Decided by this step. */
  readonly decided: boolean;
}

/**
 * Folds `heard`, in order, into `sagas` (locked, in this transaction), raises what follows, writes all of it.
 * Gives those that moved. What is heard of a saga that is not among `sagas` is left out. Where it may not be
 * decided here, what was said is kept, and whoever may concludes from it (`isConclusive`).
 */
export async function stepAll(
  events: CoordinatorEvents,
  sagas: readonly KnownSaga[],
  heard: readonly Heard[],
  work: Work,
  mayDecide: (saga: KnownSaga) => boolean = () => true,
): Promise<Stepped[]> {
  const at = work.now.getTime();
  const steps = new Map(sagas.map((saga) => [saga.id, new Step(saga)]));
  for (const { sagaId, event, cause, trace } of heard) {
    const step = steps.get(sagaId);
    if (!step) continue;
    const concluded = decide(step.next, event, at);
    const facts = mayDecide(step.saga) ? concluded : beforeDecision(concluded);
    if (facts.length === 0) continue;
    const announced = announcements(events, step.saga, step.next, facts, at);
    inTraceOf(step.saga, trace, facts, announced.length > 0, () => {
      // One event of a participant may be about many sagas: what follows for this one has ids of its own.
      for (const said of announced)
        work.raise(said, { correlationId: sagaId, part: sagaId, ...(cause ? { cause } : {}) });
    });
    // An answered question changes nothing (S7): it is raised, and neither row nor log is written.
    if (event.type !== 'decision-asked') step.take(facts, at);
  }
  const moved = [...steps.values()].filter((step) => step.facts.length > 0);
  await writeSteps(work, moved, work.now);
  return moved.map(({ saga, next, facts }) => ({
    saga,
    next,
    facts,
    decided: !isDecided(saga.state) && isDecided(next),
  }));
}

function beforeDecision(facts: readonly Fact[]): readonly Fact[] {
  const at = facts.findIndex(({ fact }) => fact === 'committed' || fact === 'aborted');
  return at < 0 ? facts : facts.slice(0, at);
}

class Step {
  readonly facts: Fact[] = [];
  next: SagaState;

  constructor(readonly saga: KnownSaga) {
    this.next = saga.state;
  }

  take(facts: readonly Fact[], at: number): void {
    this.facts.push(...facts);
    this.next = evolve(this.next, facts, at);
  }
}
