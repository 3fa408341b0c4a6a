/** S1 to S4 and S7, as far as one look at a world can tell. */
import { isDecided } from '../../src/coordinator/saga-state.js';
import type { Saga } from '../../src/index.js';
import type { Wanted } from '../branches.js';
import type { World } from './world.js';

/** What is wrong with this world, whatever follows; undefined: nothing. */
export function violation(definition: Saga<Wanted>, { saga, effects, rows }: World): string | undefined {
  const kept = effects.map(({ prepared, cancelled }) => prepared - cancelled);
  const undone = effects.some(({ cancelled }) => cancelled > 0);
  const done = effects.some(({ committed }) => committed > 0);
  if (effects.some((e) => e.prepared > 1 || e.committed > 1 || e.cancelled > 1)) return 'S7: an effect twice';
  if (effects.some((e) => e.cancelled > e.prepared)) return 'S4: undone what was never done';
  if (done && undone) return 'S1: committed here and cancelled there';
  const isCommitted = saga.phase === 'COMMITTING' || saga.phase === 'COMMITTED';
  const votes = (i: number): boolean => definition.branches[i]?.type.kind !== 'retriable';
  if (isCommitted && effects.some((e, i) => votes(i) && e.prepared === 0))
    return 'S2: committed, but a branch was never prepared';
  if (isCommitted && undone) return 'S1: committed, but a branch is cancelled';
  if (isDecided(saga) && !isCommitted && done) return 'S1: aborted, but a branch is committed';
  const pivot = saga.branches.findIndex(({ kind }) => kind === 'pivot');
  if (isDecided(saga) && !isCommitted && (effects[pivot]?.prepared ?? 0) > 0)
    return 'S1: aborted, but the pivot has acted';
  if (saga.phase === 'ABORTED' && kept.some((n) => n > 0)) return 'S3: aborted, and a branch keeps its hold';
  if (saga.phase === 'COMMITTED' && rows.some((row) => row?.state !== 'COMMITTED'))
    return 'S2: it ended, but a branch is not committed';
  return undefined;
}
