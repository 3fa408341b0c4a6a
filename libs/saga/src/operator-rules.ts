/** Pure: what an operator may do with a saga as it is, and why not. */
import { decide, type OperatorEvent } from './coordinator/decide.js';
import { isDecided, isEnded, isPerhapsPurged, type SagaState } from './coordinator/saga-state.js';

/**
 * - `retry`: say again now what was not answered;
 * - `abort`: abort where nothing is decided; with a pivot under way only its answer aborts;
 * - `force-commit`: every branch that votes is prepared, and nothing is decided (H37);
 * - `force-cancel`: abort now, or refuse: a pivot may be under way, and is only asked by `abort`;
 * - `resolve`: say what became of one branch, by hand.
 */
export type SagaActionName = 'retry' | 'abort' | 'force-commit' | 'force-cancel' | 'resolve';

export type SagaAction =
  | { readonly name: Exclude<SagaActionName, 'resolve'> }
  | { readonly name: 'resolve'; readonly branch: string; readonly committed: boolean };

export function eventOf(action: SagaAction, reason: string): OperatorEvent {
  switch (action.name) {
    case 'retry':
    case 'force-commit':
      return { type: action.name };
    case 'abort':
      return { type: 'cancel', code: 'operator', text: reason };
    case 'force-cancel':
      return { type: 'force-cancel', code: 'operator', text: reason };
    case 'resolve':
      return { type: 'resolve', branch: action.branch, committed: action.committed };
  }
}

/** Those that would change or say something now. */
export function possibleActions(state: SagaState, at: number): readonly SagaActionName[] {
  const does = (action: SagaAction): boolean => decide(state, eventOf(action, ''), at).length > 0;
  const resolvable = state.branches.some(({ name: branch }) =>
    [true, false].some((committed) => does({ name: 'resolve', branch, committed })),
  );
  const plain = (['retry', 'abort', 'force-commit', 'force-cancel'] as const).filter((name) =>
    does({ name }),
  );
  return [...plain, ...(resolvable ? (['resolve'] as const) : [])];
}

/** Why `action` does nothing now, in words that offer only what is possible; undefined: it does something. */
export function refusalOf(state: SagaState, action: SagaAction, at: number): string | undefined {
  if (decide(state, eventOf(action, ''), at).length > 0) return undefined;
  const possible = possibleActions(state, at);
  const offer = possible.length > 0 ? `Possible is: ${possible.join(', ')}` : 'Nothing is to be done';
  return `${whyNot(state, action)}. ${offer}`;
}

function whyNot(state: SagaState, action: SagaAction): string {
  if (isEnded(state)) return `it has ended: ${state.phase}`;
  if (action.name === 'retry') return 'there is nothing to say again';
  if (action.name === 'resolve') return notResolvable(state, action);
  if (isDecided(state)) return `it is decided: ${state.phase}`;
  if (isPerhapsPurged(state)) return 'it may have been decided and purged here';
  const open = state.branches.filter(({ kind, state: is }) => kind !== 'retriable' && is !== 'PREPARED');
  const words = open.map(({ name, state: is }) => `${name} is ${is}`).join(', ');
  if (action.name === 'force-commit') return `not every branch is prepared (${words})`;
  return `its pivot may have run (${words})`;
}

function notResolvable(state: SagaState, { branch, committed }: SagaAction & { name: 'resolve' }): string {
  const known = state.branches.find(({ name }) => name === branch);
  if (!known) return `it has no branch ${branch}, but ${state.branches.map(({ name }) => name).join(', ')}`;
  if (!isDecided(state)) return `nothing is decided, and ${branch} is no pivot: its answer is not needed`;
  const word = committed ? 'committed' : 'cancelled';
  return `it is ${state.phase} and ${branch} is ${known.state}: it can't be resolved as ${word}`;
}
