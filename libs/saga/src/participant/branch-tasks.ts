import type { NewTask, Work } from '@aura/eventing';
import { keyOf, type BranchKey } from './branch-row.js';

/**
 * - `work`: a commit or a cancel that threw;
 * - `call`: somebody outside is asked; `release`: gets back what was asked of them.
 */
export type BranchTask = 'work' | 'call' | 'release';

export const kindOf = (task: BranchTask): string => `aura.branch-${task}`;

/** At most one of them is there for a branch at any time: its state says which. */
export function scheduleWork(task: BranchTask, branch: BranchKey, work: Work): void {
  const wanted: NewTask = {
    kind: kindOf(task),
    key: keyOf(branch),
    payload: { sagaId: branch.sagaId, branch: branch.branch } satisfies BranchKey,
  };
  work.schedule(wanted);
}
