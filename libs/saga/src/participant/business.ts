/**
 * Calls a participant's own methods.
 *
 * - a set form first, in one savepoint; where it throws, each ask by itself, in a savepoint of its own;
 * - a conflict or a passing fault goes on: the unit runs again, nothing is concluded from it;
 * - any other error is the ask's own: what was written for it is undone, the others stay.
 */
import type { Work } from '@aura/eventing';
import { asError, InvariantError, kindOf, type Logger } from '@aura/platform';
import { setWorkOf, type Asked } from './asked.js';
import type { KnownBranch } from './known-branches.js';
import { refused, type Ask, type SetWork, type Vote } from './participant.js';

const MAX_REPLY_BYTES = 4 * 1024;
const MAX_CODE = 100;
const MAX_REASON = 1_000;

/** One ask that is handed to its participant. */
export interface Call {
  readonly ask: Ask;
  readonly asked: Asked;
}

/** Of a commit or a cancel: undefined where it went through. */
export type Failure = Error | undefined;

/** The votes of these asks, in their order. */
export async function prepareAll(
  branch: KnownBranch,
  calls: readonly Call[],
  work: Work,
  logger: Logger,
): Promise<Vote[]> {
  const { participant } = branch;
  if ('call' in participant) throw new InvariantError(`${branch.type.name} is prepared by a task`);
  if (participant.prepareAll) {
    const inOne = await inOneSavepoint('prepare', branch, calls, work, logger, async (asks, set) => {
      const votes = (await participant.prepareAll?.(asks, set)) ?? [];
      if (votes.length !== asks.length)
        throw new InvariantError(`prepareAll gave ${votes.length} votes for ${asks.length} asks`);
      return votes.map(checked);
    });
    if (inOne) return inOne;
  }
  const votes: Vote[] = [];
  for (const call of calls) {
    const vote = await alone(call, work, async (own) => checked(await participant.prepare(call.ask, own)));
    votes.push(vote instanceof Error ? failedVote(vote) : vote);
    if (vote instanceof Error) complain(logger, 'prepare', branch, call, vote);
  }
  return votes;
}

/** What became of each of these asks, in their order. */
export async function finishAll(
  phase: 'commit' | 'cancel',
  branch: KnownBranch,
  calls: readonly Call[],
  work: Work,
  logger: Logger,
): Promise<Failure[]> {
  const { participant } = branch;
  const form = phase === 'commit' ? 'commitAll' : 'cancelAll';
  if (participant[form]) {
    const done = await inOneSavepoint(phase, branch, calls, work, logger, async (asks, set) => {
      await participant[form]?.(asks, set);
      return asks.map(() => undefined);
    });
    if (done) return done;
  }
  const failures: Failure[] = [];
  for (const call of calls) {
    const failure = await alone(call, work, async (own) => {
      await participant[phase](call.ask, own);
      return undefined;
    });
    failures.push(failure);
    if (failure) complain(logger, phase, branch, call, failure);
  }
  return failures;
}

/** H18: before anything of a unit is called. */
export async function lockAll(branch: KnownBranch, calls: readonly Call[], work: Work): Promise<void> {
  const { participant } = branch;
  if (calls.length === 0 || 'call' in participant || !participant.lockAll) return;
  const asks = new Map(calls.map(({ ask, asked }) => [ask, asked]));
  await participant.lockAll(
    [...asks.keys()],
    setWorkOf(work, (ask, inner) => asks.get(ask)?.on(inner)),
  );
}

/** A vote as it may be kept and sent; throws for one that may not. */
export function checked(vote: Vote): Vote {
  if (!vote.prepared)
    return { ...vote, code: vote.code.slice(0, MAX_CODE), reason: vote.reason.slice(0, MAX_REASON) };
  const bytes = vote.reply === undefined ? 0 : Buffer.byteLength(JSON.stringify(vote.reply));
  if (bytes > MAX_REPLY_BYTES)
    throw new InvariantError(`a reply has ${bytes} bytes, ${MAX_REPLY_BYTES} are allowed: send a reference`);
  return vote;
}

export function failedVote(error: Error): Vote {
  return refused('failed', `the participant failed: ${error.name}`);
}

/** Whether nothing may be concluded from an error: whoever has the transaction tries again. */
export function passes(error: unknown): boolean {
  const kind = kindOf(error);
  return kind === 'conflict' || kind === 'transient';
}

/** Undefined: it threw, and what it wrote is undone. */
async function inOneSavepoint<T>(
  phase: string,
  { type }: KnownBranch,
  calls: readonly Call[],
  work: Work,
  logger: Logger,
  call: (asks: readonly Ask[], set: SetWork) => Promise<T[]>,
): Promise<T[] | undefined> {
  const asks = new Map(calls.map(({ ask, asked }) => [ask, asked]));
  try {
    const own = (ask: Ask, inner: Work): Work | undefined => asks.get(ask)?.on(inner);
    return await work.savepoint((inner) => call([...asks.keys()], setWorkOf(inner, own)));
  } catch (error) {
    if (passes(error)) throw error;
    logger.warn(
      { err: error, branchType: type.name, asks: calls.length },
      `saga: the ${phase} of a set failed, each is tried by itself`,
    );
    return undefined;
  }
}

async function alone<T>({ asked }: Call, work: Work, fn: (own: Work) => Promise<T>): Promise<T | Error> {
  try {
    return await asked.within(() => asked.on(work).savepoint(fn));
  } catch (error) {
    if (passes(error)) throw error;
    asked.failed(error);
    return asError(error);
  }
}

function complain(logger: Logger, phase: string, { type }: KnownBranch, { ask }: Call, err: Error): void {
  const { sagaId, branch } = ask;
  logger.error({ err, sagaId, branch, branchType: type.name }, `saga: a participant failed to ${phase}`);
}
