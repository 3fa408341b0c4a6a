/**
 * Branches that ask outside: the tasks that talk to somebody there. A task's lease says who may; at most one
 * task of a branch is there at any time, and none talks within a transaction.
 *
 * CALLING -> (call, look-up) -> PREPARED, or REFUSED, or RELEASING where the service itself refuses;
 * A pivot only PREPARED or REFUSED: there is no way back;
 * STOPPING -> (outcome known) -> given back -> TOMBSTONE;  RELEASING -> given back -> CANCELLED or REFUSED.
 */
import { trace } from '@opentelemetry/api';
import type { TaskHandler, Work } from '@aura/eventing';
import { InvariantError, TransientError, type Clock } from '@aura/platform';
import type { Pool } from 'pg';
import type { ParticipantContext } from './asks-of-unit.js';
import { findBranch, lockBranches, noteCall, updateBranches } from './barrier-store.js';
import { keyOf, type BranchKey, type BranchRow } from './branch-row.js';
import { kindOf, scheduleWork } from './branch-tasks.js';
import { knownOf } from './branch-work.js';
import { asError, checked, failedVote, passes } from './business.js';
import { nextStep } from './intent-rules.js';
import { askIn, type ExternalBranch } from './known-branches.js';
import type { Answer, OutsideCall, Vote } from './participant.js';

const MAX_DATA_BYTES = 4 * 1024;
const CONCURRENCY = 16;
const MAX_BACKOFF_MS = 10_000;

export interface IntentContext extends ParticipantContext {
  readonly pool: Pool;
  readonly clock: Clock;
}

export class Intents {
  constructor(private readonly context: IntentContext) {}

  tasks(): TaskHandler<BranchKey>[] {
    const endless = { maxAttempts: Infinity, concurrency: CONCURRENCY, maxBackoffMs: MAX_BACKOFF_MS };
    return [
      { ...endless, kind: kindOf('call'), run: (task, signal) => this.#call(task.payload, signal) },
      { ...endless, kind: kindOf('release'), run: (task, signal) => this.#release(task.payload, signal) },
    ];
  }

  async #call(key: BranchKey, signal: AbortSignal): Promise<(work: Work) => Promise<void>> {
    const answer = await this.#outcomeOf(key, signal);
    return (work) => (answer ? this.#conclude(key, answer, work) : NOTHING);
  }

  /** What they said; undefined where nobody wants to know any more. Throws while it is unknown. */
  async #outcomeOf(key: BranchKey, signal: AbortSignal): Promise<Answer | undefined> {
    const { pool, clock } = this.context;
    const row = await findBranch(pool, key);
    if (row?.state !== 'CALLING' && row?.state !== 'STOPPING') return undefined;
    const branch = this.#branchOf(row);
    const { participant, outside } = branch;
    const ask = askIn(row, branch);
    let step = nextStep(row, 'not-asked', clock.now(), outside);
    if (step === 'look-up') {
      const found = await within(outside.callTimeoutMs, row, signal, (call) => participant.lookUp(ask, call));
      if (found) return found;
      step = nextStep(row, 'nothing', clock.now(), outside);
    }
    if (step === 'over') return { accepted: false, code: 'unreachable', reason: UNREACHABLE };
    if (step !== 'call')
      throw new TransientError(`the call of ${keyOf(key)} may still arrive: it is looked up again later`);
    // X4: it was told to stop since it was read.
    if (!(await noteCall(pool, key, clock.now()))) return this.#outcomeOf(key, signal);
    return within(outside.callTimeoutMs, row, signal, (call) => participant.call(ask, call));
  }

  async #conclude(key: BranchKey, answer: Answer, work: Work): Promise<void> {
    const [row] = await lockBranches(work, [key]);
    if (row?.state === 'STOPPING') return this.#stopped(row, answer, work);
    if (row?.state !== 'CALLING') return;
    if (!answer.accepted) {
      const { code, reason } = answer;
      return this.#refuse({ ...row, state: 'REFUSED' }, checked({ prepared: false, code, reason }), work);
    }
    const vote = await this.#prepare(row, answer, work);
    const held = { ...row, outside: kept(answer.data) };
    if (!vote.prepared) {
      await this.#refuse({ ...held, state: 'RELEASING' }, vote, work);
      return scheduleWork('release', row, work);
    }
    const { answers, askAfterMs } = this.context;
    const askAt = new Date(work.now.getTime() + askAfterMs);
    const reply = vote.reply === undefined ? null : JSON.stringify(vote.reply);
    const next: BranchRow = { ...held, state: 'PREPARED', reply, preparedAt: work.now, askAt };
    await updateBranches(work, [next]);
    markVote(next);
    work.raise(answers.vote(next), { correlationId: row.sagaId });
    work.afterCommit(() => this.context.onHeld(askAt));
  }

  async #prepare(row: BranchRow, answer: Answer & { accepted: true }, work: Work): Promise<Vote> {
    const branch = this.#branchOf(row);
    const ask = askIn(row, branch);
    try {
      if (kept(answer.data) === null)
        throw new InvariantError(`an answer has over ${MAX_DATA_BYTES} bytes: keep a reference only`);
      const vote = await work.savepoint(async (own) => branch.participant.prepare(ask, answer, own));
      if (isPivot(branch) && !vote.prepared)
        throw new InvariantError(`${keyOf(row)} can't be refused (${vote.code}): it was done outside`);
      return checked(vote);
    } catch (error) {
      // B6: a pivot that ran is its decision. What keeps it from being written down has to be mended.
      if (passes(error) || isPivot(branch)) throw error;
      const { sagaId, branch: name } = row;
      this.context.logger.error(
        { err: error, sagaId, branch: name },
        'saga: a participant failed to prepare',
      );
      return failedVote(asError(error));
    }
  }

  async #refuse(row: BranchRow, vote: Vote, work: Work): Promise<void> {
    if (vote.prepared) return;
    const { code, reason } = vote;
    const next = { ...row, code, reason, decidedAt: work.now };
    await updateBranches(work, [next]);
    markVote(next);
    work.raise(this.context.answers.vote(next), { correlationId: row.sagaId });
  }

  /** X2: its outcome is known now, and it was cancelled meanwhile. */
  async #stopped(row: BranchRow, answer: Answer, work: Work): Promise<void> {
    if (!answer.accepted) return this.#end(row, work);
    await updateBranches(work, [{ ...row, outside: kept(answer.data) }]);
    scheduleWork('release', row, work);
  }

  async #release(key: BranchKey, signal: AbortSignal): Promise<(work: Work) => Promise<void>> {
    const row = await findBranch(this.context.pool, key);
    if (row?.state !== 'STOPPING' && row?.state !== 'RELEASING') return () => NOTHING;
    const branch = this.#branchOf(row);
    const ask = askIn(row, branch);
    await within(branch.outside.callTimeoutMs, row, signal, (call) => branch.participant.release(ask, call));
    return async (work) => {
      const [locked] = await lockBranches(work, [key]);
      if (locked?.state === 'STOPPING' || locked?.state === 'RELEASING') await this.#end(locked, work);
    };
  }

  /** Nothing is held outside any more. */
  async #end(row: BranchRow, work: Work): Promise<void> {
    const given = row.code === null ? 'CANCELLED' : 'REFUSED';
    const state = row.state === 'STOPPING' ? 'TOMBSTONE' : given;
    await updateBranches(work, [{ ...row, state }]);
    const event = this.context.answers.cancelled(row, state === 'CANCELLED');
    work.raise(event, { correlationId: row.sagaId });
  }

  #branchOf(row: BranchRow): ExternalBranch {
    const branch = knownOf(row, this.context.branches.of(row.branchType));
    if (branch.outside) return branch;
    throw new InvariantError(`${row.branchType} is not external any more, and ${keyOf(row)} is ${row.state}`);
  }
}

const NOTHING = Promise.resolve();
const isPivot = ({ type }: ExternalBranch): boolean => type.kind === 'pivot';
const UNREACHABLE = 'it was not called in time, and nothing of it has arrived there';

/** Null where it is too large to be kept. */
function kept(data: object): object | null {
  return Buffer.byteLength(JSON.stringify(data)) > MAX_DATA_BYTES ? null : data;
}

/** A call with a bound: what goes on after it is unknown. */
async function within<T>(
  timeoutMs: number,
  key: BranchKey,
  signal: AbortSignal,
  fn: (call: OutsideCall) => Promise<T>,
): Promise<T> {
  const both = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  return new Promise<T>((resolve, reject) => {
    const late = (): void => reject(asError(both.reason));
    if (both.aborted) return late();
    both.addEventListener('abort', late, { once: true });
    fn({ idempotencyKey: keyOf(key), signal: both })
      .then(resolve, reject)
      .finally(() => both.removeEventListener('abort', late));
  });
}

/** On the span of the task: the vote of an external branch is not its ask's, which ended long before. */
function markVote({ sagaId, branch, code }: BranchRow): void {
  trace.getActiveSpan()?.setAttributes({
    'aura.saga.id': sagaId,
    'aura.saga.branch': branch,
    'aura.saga.vote': code === null ? 'prepared' : 'refused',
    ...(code === null ? {} : { 'aura.saga.refusal': code }),
  });
}
