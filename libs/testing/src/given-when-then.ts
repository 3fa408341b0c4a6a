/**
 * Given-when-then over any pure decider: what it concludes, and what state follows. For sagas, workflows and
 * whatever else is `decide` and `evolve` (the decider pattern: J. Chassaing, 2021; emmett ships the same).
 */
export interface Decider<State, Event, Fact> {
  readonly initial: State;
  decide(state: State, event: Event, at: number): readonly Fact[];
  evolve(state: State, facts: readonly Fact[], at: number): State;
}

/** What a decider has heard so far; immutable: each call gives the next one. */
export interface Scenario<State, Event, Fact> {
  readonly state: State;
  /** What the last event led to. */
  readonly facts: readonly Fact[];
  /** Everything since `given`, in order. */
  readonly history: readonly Fact[];
  /** Hears one more event. `at`: ms since 1970; the scenario's time by default. */
  when(event: Event, at?: number): Scenario<State, Event, Fact>;
  /** From here on it is that time. */
  at(time: number): Scenario<State, Event, Fact>;
}

/** A scenario that has heard `events`, in order, at `at`. */
export function given<State, Event, Fact>(
  decider: Decider<State, Event, Fact>,
  events: readonly Event[] = [],
  at = 0,
): Scenario<State, Event, Fact> {
  const begin = scenario(decider, decider.initial, [], [], at);
  return events.reduce((so, event) => so.when(event), begin);
}

function scenario<State, Event, Fact>(
  decider: Decider<State, Event, Fact>,
  state: State,
  facts: readonly Fact[],
  history: readonly Fact[],
  now: number,
): Scenario<State, Event, Fact> {
  return {
    state,
    facts,
    history,
    at: (time) => scenario(decider, state, facts, history, time),
    when(event, at = now) {
      const next = decider.decide(state, event, at);
      return scenario(decider, decider.evolve(state, next, at), next, [...history, ...next], at);
    },
  };
}
