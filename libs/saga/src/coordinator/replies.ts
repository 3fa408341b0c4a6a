import type { SagaState } from './saga-state.js';

/** What participants replied, by branch. */
export function repliesOf({ branches }: SagaState): Record<string, unknown> {
  return Object.fromEntries(
    branches.flatMap(({ name, reply }) => (reply === null ? [] : [[name, JSON.parse(reply) as unknown]])),
  );
}
