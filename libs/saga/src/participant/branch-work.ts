/**
 * A commit or a cancel that threw, tried again for ever: the business call, the branch's row and the
 * acknowledgement in the one transaction that ends the task.
 */
import type { TaskHandler, Work } from '@aura/eventing';
import { ackOfCancel, ackOfCommit, type Answer } from './answers.js';
import { AnswersOfUnit } from './answers-of-unit.js';
import { recordedHere } from './asked.js';
import type { ParticipantContext } from './asks-of-unit.js';
import { lockBranches, updateBranches } from './barrier-store.js';
import type { BranchKey } from './branch-row.js';
import { kindOf, scheduleWork } from './branch-tasks.js';
import { askIn, knownOf } from './known-branches.js';

type Of = Pick<ParticipantContext, 'branches' | 'service'>;

export function branchWork(of: Of): TaskHandler<BranchKey> {
  return {
    kind: kindOf('work'),
    maxAttempts: Infinity,
    run: (task) => Promise.resolve((work) => finish(of, task.payload, work)),
  };
}

async function finish({ branches, service }: Of, key: BranchKey, work: Work): Promise<void> {
  const [row] = await lockBranches(work, [key]);
  if (row?.state !== 'COMMITTING' && row?.state !== 'CANCELLING') return;
  const branch = knownOf(row, branches);
  const { participant } = branch;
  const ask = askIn(row, branch);
  const say = (answer: Answer): void => {
    const answers = new AnswersOfUnit(service);
    answers.add(answer, { raise: (event, how) => work.raise(event, how), traceparent: recordedHere() });
    answers.raise();
  };
  if (row.state === 'COMMITTING') {
    await participant.commit(ask, work);
    await updateBranches(work, [{ ...row, state: 'COMMITTED' }]);
    say(ackOfCommit(row));
    return;
  }
  await participant.cancel(ask, work);
  const state = branch.outside ? 'RELEASING' : 'CANCELLED';
  await updateBranches(work, [{ ...row, state }]);
  if (state === 'RELEASING') scheduleWork('release', row, work);
  else say(ackOfCancel(row, true));
}
