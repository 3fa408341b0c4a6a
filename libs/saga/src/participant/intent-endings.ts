/**
 * How the tasks of branches that ask outside end: their rows locked together in sorted order, each decided by
 * its state, written together.
 *
 * CALLING -> (call, look-up) -> PREPARED, or REFUSED, or RELEASING where the service itself refuses;
 * A pivot only PREPARED or REFUSED: there is no way back;
 * STOPPING -> (outcome known) -> given back -> TOMBSTONE;  RELEASING -> given back -> CANCELLED or REFUSED.
 */
import type { EndedTask, Work } from '@aura/eventing';
import { asError, InvariantError } from '@aura/platform';
import { trace } from '@opentelemetry/api';
import { ackOfCancel, voteOf, type Answer as Said } from './answers.js';
import { AnswersOfUnit } from './answers-of-unit.js';
import type { ParticipantContext } from './asks-of-unit.js';
import { markRefusal, recordedHere, setWorkOf } from './asked.js';
import { lockBranches, updateBranches } from './barrier-store.js';
import { keyOf, type BranchKey, type BranchRow } from './branch-row.js';
import { scheduleWork } from './branch-tasks.js';
import { checked, failedVote, passes } from './business.js';
import { askIn, externalOf, type ExternalBranch } from './known-branches.js';
import type { Accepted, Answer, Vote } from './participant.js';

const MAX_DATA_BYTES = 4 * 1024;

type Ended<R> = EndedTask<BranchKey, R>;
type Refusal = Vote & { readonly prepared: false };

/** A task's branch, locked. */
interface Locked<R> {
  readonly ended: Ended<R>;
  readonly row: BranchRow;
}

/** One whose call was accepted, for its participant. */
interface Taken extends Locked<unknown> {
  readonly branch: ExternalBranch;
  readonly accepted: Accepted;
}

export class IntentEndings {
  constructor(private readonly context: ParticipantContext) {}

  /** Of calls: each with what they said, undefined where nobody wants to know any more. */
  async called(ended: readonly Ended<Answer | undefined>[], work: Work): Promise<void> {
    const answers = new AnswersOfUnit(this.context.service);
    const changed: BranchRow[] = [];
    const taken: Taken[] = [];
    for (const one of await lockedOf(ended, work)) {
      const answer = one.ended.result;
      if (!answer) continue;
      if (one.row.state === 'STOPPING') changed.push(this.#stopped(one, answer, answers));
      else if (one.row.state === 'CALLING') {
        if (answer.accepted) taken.push(this.#takenOf(one, answer));
        else
          changed.push(
            this.#voted(one, 'REFUSED', checked({ prepared: false, ...wordsOf(answer) }), answers),
          );
      }
    }
    for (const [branch, some] of Map.groupBy(taken, (one) => one.branch)) {
      const votes = await this.#prepareAll(branch, some, work);
      for (const [i, one] of some.entries()) changed.push(this.#prepared(one, votes[i] as Vote, answers));
    }
    await updateBranches(work, changed);
    answers.raise();
    const times = changed.flatMap(({ askAt }) => (askAt === null ? [] : [askAt.getTime()]));
    if (times.length > 0) work.afterCommit(() => this.context.onHeld(new Date(Math.min(...times))));
  }

  /** Of releases: each with whether something was given back. */
  async released(ended: readonly Ended<boolean>[], work: Work): Promise<void> {
    const answers = new AnswersOfUnit(this.context.service);
    const locked = await lockedOf(ended, work);
    const changed = locked.flatMap((one) => {
      const isGiven = one.ended.result && (one.row.state === 'STOPPING' || one.row.state === 'RELEASING');
      return isGiven ? [this.#over(one, answers)] : [];
    });
    await updateBranches(work, changed);
    answers.raise();
  }

  #takenOf({ ended, row }: Locked<unknown>, answer: Answer & { accepted: true }): Taken {
    const branch = externalOf(row, this.context.branches);
    return { ended, row, branch, accepted: { ask: askIn(row, branch), answer } };
  }

  /** The votes of these, in their order: all in one savepoint, or else each in its own. */
  async #prepareAll(branch: ExternalBranch, taken: readonly Taken[], work: Work): Promise<Vote[]> {
    const { participant } = branch;
    const works = new Map(taken.map(({ accepted, ended }) => [accepted.ask, ended.work]));
    if (participant.prepareAll && taken.every(({ accepted }) => kept(accepted.answer.data) !== null)) {
      try {
        return await work.savepoint(async (inner) => {
          const all = taken.map(({ accepted }) => accepted);
          const set = setWorkOf(inner, (ask) => works.get(ask));
          const votes = (await participant.prepareAll?.(all, set)) ?? [];
          if (votes.length !== all.length)
            throw new InvariantError(`prepareAll gave ${votes.length} votes for ${all.length} answers`);
          return votes.map((vote, i) => checkedOf(taken[i] as Taken, vote));
        });
      } catch (error) {
        if (passes(error)) throw error;
        this.context.logger.warn(
          { err: error, branchType: branch.type.name, asks: taken.length },
          'saga: the prepare of a set failed, each is tried by itself',
        );
      }
    }
    const votes: Vote[] = [];
    for (const one of taken) votes.push(await this.#prepare(one));
    return votes;
  }

  async #prepare(one: Taken): Promise<Vote> {
    const { branch, row, ended, accepted } = one;
    const { ask, answer } = accepted;
    try {
      if (kept(answer.data) === null)
        throw new InvariantError(`an answer has over ${MAX_DATA_BYTES} bytes: keep a reference only`);
      const run = () => ended.work.savepoint(async (own) => branch.participant.prepare(ask, answer, own));
      return checkedOf(one, await ended.within(run));
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

  #prepared({ ended, row, accepted }: Taken, vote: Vote, answers: AnswersOfUnit): BranchRow {
    const held = { ...row, outside: kept(accepted.answer.data) };
    if (!vote.prepared) {
      scheduleWork('release', row, ended.work);
      return this.#voted({ ended, row: held }, 'RELEASING', vote, answers);
    }
    const { now } = ended.work;
    const askAt = new Date(now.getTime() + this.context.askAfterMs);
    const reply = vote.reply === undefined ? null : JSON.stringify(vote.reply);
    const next: BranchRow = { ...held, state: 'PREPARED', reply, preparedAt: now, askAt };
    return told({ ended, row: next }, answers);
  }

  #voted(
    { ended, row }: Locked<unknown>,
    state: BranchRow['state'],
    vote: Vote,
    answers: AnswersOfUnit,
  ): BranchRow {
    const { code, reason } = vote as Refusal;
    return told({ ended, row: { ...row, state, code, reason, decidedAt: ended.work.now } }, answers);
  }

  /** X2: its outcome is known now, and it was cancelled meanwhile. */
  #stopped(one: Locked<unknown>, answer: Answer, answers: AnswersOfUnit): BranchRow {
    const { ended, row } = one;
    if (!answer.accepted) return this.#over(one, answers);
    scheduleWork('release', row, ended.work);
    return { ...row, outside: kept(answer.data) };
  }

  /** Nothing is held outside any more. */
  #over({ ended, row }: Locked<unknown>, answers: AnswersOfUnit): BranchRow {
    const given = row.code === null ? 'CANCELLED' : 'REFUSED';
    const state = row.state === 'STOPPING' ? 'TOMBSTONE' : given;
    say(answers, ended, ackOfCancel(row, state === 'CANCELLED'));
    return { ...row, state };
  }
}

function told({ ended, row }: Locked<unknown>, answers: AnswersOfUnit): BranchRow {
  ended.within(() => markVote(row));
  say(answers, ended, voteOf(row));
  return row;
}

function say(answers: AnswersOfUnit, ended: Ended<unknown>, answer: Said): void {
  answers.add(answer, {
    raise: (event, how) => ended.work.raise(event, how),
    traceparent: ended.within(recordedHere),
  });
}

const isPivot = ({ type }: ExternalBranch): boolean => type.kind === 'pivot';
const wordsOf = ({ code, reason }: Answer & { accepted: false }) => ({ code, reason });

async function lockedOf<R>(ended: readonly Ended<R>[], work: Work): Promise<Locked<R>[]> {
  const keys = ended.map(({ task }) => task.payload);
  const rows = new Map((await lockBranches(work, keys)).map((row) => [keyOf(row), row]));
  return ended.flatMap((one) => {
    const row = rows.get(keyOf(one.task.payload));
    return row ? [{ ended: one, row }] : [];
  });
}

/** Throws for a vote that may not be kept. */
function checkedOf({ branch, row }: Taken, vote: Vote): Vote {
  if (isPivot(branch) && !vote.prepared)
    throw new InvariantError(`${keyOf(row)} can't be refused (${vote.code}): it was done outside`);
  return checked(vote);
}

/** Null where it is too large to be kept. */
function kept(data: object): object | null {
  return Buffer.byteLength(JSON.stringify(data)) > MAX_DATA_BYTES ? null : data;
}

/** On the span of the task: the vote of an external branch is not its ask's, which ended long before. */
function markVote({ code, reason }: BranchRow): void {
  const span = trace.getActiveSpan();
  span?.setAttribute('aura.saga.vote', code === null ? 'prepared' : 'refused');
  if (span && code !== null) markRefusal(span, { code, reason: reason ?? '' });
}
