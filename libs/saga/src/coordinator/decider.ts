import type { Saga } from '../definition.js';
import { decide, start, type SagaEvent } from './decide.js';
import { evolve, type Fact, type SagaState } from './saga-state.js';
import { beginning } from './beginning.js';

/** A saga's definition as a pure decider: `initial` has asked what may be asked at once. */
export interface SagaDecider {
  readonly initial: SagaState;
  decide(state: SagaState, event: SagaEvent, at: number): readonly Fact[];
  evolve(state: SagaState, facts: readonly Fact[], at: number): SagaState;
}

/** For given-when-then of a definition, without a database: `given(sagaDecider(buyOutfit), [...])`. */
export function sagaDecider<I extends object>(saga: Saga<I>, startedAt = 0): SagaDecider {
  const begun = beginning(saga, startedAt);
  return { initial: evolve(begun, start(begun), startedAt), decide, evolve };
}
