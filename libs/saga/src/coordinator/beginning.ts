import type { AnySaga } from '../definition.js';
import type { SagaState } from './saga-state.js';

/** Pure: a saga before anything was asked. `at`: ms since 1970. */
export function beginning({ branches, limits }: Pick<AnySaga, 'branches' | 'limits'>, at: number): SagaState {
  return {
    phase: 'PREPARING',
    deadline: at + limits.prepareMs,
    attentionMs: limits.attentionMs,
    movedAt: at,
    why: null,
    attention: null,
    branches: branches.map(({ name, type, after }) => ({
      name,
      type: type.name,
      owner: type.service,
      kind: type.kind,
      after,
      state: 'WAITING',
      cancelAsked: false,
      reply: null,
      refusal: null,
    })),
  };
}
