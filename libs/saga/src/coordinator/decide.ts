/**
 * Pure: what a coordinator concludes from what it hears. No clock, no chance: time comes in with the event.
 *
 * D1 a saga is decided once: nothing after the decision changes it (S1);
 * D2 it commits only when every branch that votes has said yes, and not after its deadline; a pivot's yes is
 *    the decision, whenever it comes;
 * D3 from the record that asks a pivot on, deadline and cancel abort no more: only its refusal does, or its
 *    barrier's word that it never ran (H9);
 * D4 an abort cancels every branch that was asked and did not refuse: reservables at once, compensations one
 *    by one, the last declared first;
 * D5 it ends when every branch has acknowledged, and only then (S2, S3);
 * D6 an answer that was heard before, or that comes too late, changes nothing (S7); one that contradicts the
 *    decision is an alarm, never a change.
 */
import {
  branchOf,
  evolve,
  isConclusive,
  isDecided,
  isEnded,
  isLast,
  isPerhapsPurged,
  isPrepared,
  type Fact,
  type Reason,
  type SagaBranch,
  type SagaState,
} from './saga-state.js';

/** What a coordinator hears of one saga. Who may say it was checked before. */
export type SagaEvent =
  | { readonly type: 'prepared'; readonly branch: string; readonly reply: string | null }
  | { readonly type: 'refused'; readonly branch: string; readonly code: string; readonly text: string }
  | { readonly type: 'branch-committed'; readonly branch: string }
  | { readonly type: 'branch-cancelled'; readonly branch: string; readonly ran: boolean }
  | { readonly type: 'decision-asked'; readonly branch: string }
  /** Its time has come: `wakeAt`. */
  | { readonly type: 'time' }
  /** All that this service had published of it was folded; `lost`: branches that can't be asked any more. */
  | { readonly type: 'recalled'; readonly lost: readonly string[] }
  | OperatorEvent
  | ({ readonly type: 'operator'; readonly action: string; readonly by: string; readonly reason: string } & {
      readonly wants: OperatorEvent;
    });

/** What an operator may want of one saga, see operator.ts. */
export type OperatorEvent =
  | { readonly type: 'retry' }
  | { readonly type: 'cancel'; readonly code: string; readonly text: string }
  | { readonly type: 'force-commit' }
  | { readonly type: 'force-cancel'; readonly code: string; readonly text: string }
  | { readonly type: 'resolve'; readonly branch: string; readonly committed: boolean };

/** The facts that follow, in order; none: nothing changes and nobody is told. `at`: ms since 1970. */
export function decide(state: SagaState, event: SagaEvent, at: number): readonly Fact[] {
  switch (event.type) {
    case 'prepared':
      return onPrepared(state, event, at);
    case 'refused':
      return onRefused(state, event, at);
    case 'branch-committed':
      return onCommitted(state, event.branch, at);
    case 'branch-cancelled':
      return onCancelled(state, event.branch, event.ran, at);
    case 'decision-asked':
      return isDecided(state) ? [{ fact: 'decision-repeated', branch: event.branch }] : [];
    case 'time':
      return onTime(state, at);
    case 'cancel':
      return wantAbort(state, { code: event.code, text: event.text }, at);
    case 'force-commit':
      return mayForceCommit(state) ? commit(state) : [];
    case 'force-cancel':
      return mayForceCancel(state) ? abort(state, { code: event.code, text: event.text }, at) : [];
    case 'retry':
      return retry(state);
    case 'resolve':
      return resolve(state, event.branch, event.committed, at);
    case 'operator': {
      const { action, by, reason, wants } = event;
      return [{ fact: 'operator', action, by, reason }, ...decide(state, wants, at)];
    }
    case 'recalled':
      return onRecalled(state, event.lost, at);
    default:
      return never(event);
  }
}

/** What a saga begins with, apart from `branches` being `WAITING`: those that may start at once are asked. */
export function start(state: SagaState): readonly Fact[] {
  return askable(state);
}

/** H37: every branch that votes has said yes, and nothing is decided. */
export function mayForceCommit(state: SagaState): boolean {
  const voting = state.branches.filter(({ kind }) => kind !== 'retriable');
  return (
    !isDecided(state) &&
    !isPerhapsPurged(state) &&
    voting.length > 0 &&
    voting.every(({ state: is }) => is === 'PREPARED')
  );
}

/** D3: no pivot can have run, or still run. */
export function mayForceCancel(state: SagaState): boolean {
  const pivot = state.branches.find(({ kind }) => kind === 'pivot');
  return !isDecided(state) && !isPerhapsPurged(state) && (!pivot || !isUnderWay(pivot));
}

/** From here on only the pivot can abort (D3). */
export function isPivotAsked({ branches }: SagaState): boolean {
  return branches.some(({ kind, state }) => kind === 'pivot' && state !== 'WAITING');
}

function onPrepared(
  state: SagaState,
  { branch, reply }: { readonly branch: string; readonly reply: string | null },
  at: number,
): readonly Fact[] {
  const known = branchOf(state, branch);
  const fact: Fact = { fact: 'prepared', branch, reply };
  // Of a commit that was taken back from the topic the reply is not known, whichever answer comes first.
  if (known?.state === 'COMMITTED' && known.reply === null && reply !== null) return [fact];
  if (known?.state !== 'ASKED') return []; // D6
  if (state.phase === 'COMMITTING') return [fact];
  if (isDecided(state)) return []; // D1
  const next = evolve(state, [fact], at);
  if (branchOf(state, branch)?.kind === 'pivot') return [fact, ...commit(next)]; // D2
  if (at > state.deadline) return [fact, ...abort(next, tooLate(next), at)]; // D2
  if (!isPrepared(next)) return [fact, ...askable(next)];
  const pivot = askable(next);
  return [fact, ...(pivot.length > 0 ? pivot : commit(next))];
}

function onRefused(
  state: SagaState,
  { branch, code, text }: { readonly branch: string; readonly code: string; readonly text: string },
  at: number,
): readonly Fact[] {
  if (branchOf(state, branch)?.state !== 'ASKED') return []; // D6
  if (state.phase === 'COMMITTING') return contradiction(state, branch, 'refused after the commit');
  if (isEnded(state)) return [];
  const fact: Fact = { fact: 'refused', branch, code, text };
  const next = evolve(state, [fact], at);
  return [fact, ...(isDecided(next) ? undone(next) : abort(next, { code, text, branch }, at))];
}

function onCommitted(state: SagaState, branch: string, at: number): readonly Fact[] {
  const is = branchOf(state, branch)?.state;
  if (is === undefined || is === 'COMMITTED') return []; // D6
  if (state.phase !== 'COMMITTING') return contradiction(state, branch, 'committed without a decision');
  const fact: Fact = { fact: 'branch-committed', branch };
  return [fact, ...committedAll(evolve(state, [fact], at))];
}

function onCancelled(state: SagaState, branch: string, ran: boolean, at: number): readonly Fact[] {
  const known = branchOf(state, branch);
  if (!known || !isUnderWay(known)) return []; // D6
  if (state.phase === 'COMMITTING' || state.phase === 'COMMITTED')
    return contradiction(state, branch, 'cancelled after the commit');
  const fact: Fact = { fact: 'branch-cancelled', branch, ran };
  const next = evolve(state, [fact], at);
  if (state.phase === 'ABORTING') return [fact, ...undone(next)];
  // D3: the pivot was asked not to run, and did not.
  if (known.kind === 'pivot' && !ran && known.cancelAsked)
    return [fact, ...abort(next, state.why ?? tooLate(state), at)];
  return contradiction(state, branch, 'cancelled before anything was decided');
}

function onTime(state: SagaState, at: number): readonly Fact[] {
  if (isEnded(state)) return [];
  if (isConclusive(state)) return conclude(state, at);
  if (!isDecided(state) && at >= state.deadline && state.why === null)
    return wantAbort(state, tooLate(state), at);
  if (state.attention !== null || at < state.movedAt + state.attentionMs) return [];
  return [{ fact: 'attention', reason: { code: 'silent', text: silence(state) } }];
}

/** What a replica had to leave to one that declares the saga: by when the last branch spoke, not by now. */
function conclude(state: SagaState, at: number): readonly Fact[] {
  const no = state.branches.find(({ refusal }) => refusal !== null);
  if (no?.refusal) return abort(state, { ...no.refusal, branch: no.name }, at);
  const pivot = state.branches.find(({ kind }) => kind === 'pivot');
  if (pivot?.state === 'CANCELLED') return abort(state, state.why ?? tooLate(state), at);
  return !pivot && state.movedAt > state.deadline ? abort(state, tooLate(state), at) : commit(state); // D2
}

/** D3: with a pivot under way it is asked not to run, and an operator is told. */
function wantAbort(state: SagaState, why: Reason, at: number): readonly Fact[] {
  if (isDecided(state) || isPerhapsPurged(state)) return [];
  if (!isPivotAsked(state)) return abort(state, why, at);
  if (state.why !== null) return [];
  const pivot = state.branches.find(({ kind }) => kind === 'pivot');
  return [
    { fact: 'abort-wanted', why },
    {
      fact: 'attention',
      reason: { code: 'pivot', text: `${why.text}, but ${pivot?.name} was asked already` },
    },
    ...(pivot ? [{ fact: 'cancel-asked', branch: pivot.name } as const] : []),
  ];
}

function commit(state: SagaState): readonly Fact[] {
  const retriables = state.branches.filter(({ kind }) => kind === 'retriable');
  return [{ fact: 'committed' }, ...retriables.map(({ name }) => ({ fact: 'asked', branch: name }) as const)];
}

function abort(state: SagaState, why: Reason, at: number): readonly Fact[] {
  const fact: Fact = { fact: 'aborted', why };
  return [fact, ...undone(evolve(state, [fact], at))];
}

/** D4, D5: the next compensation, or the end. */
function undone(state: SagaState): readonly Fact[] {
  if (!state.branches.some(isUnderWay)) return [{ fact: 'ended' }];
  const next = state.branches.findLast((branch) => branch.kind === 'compensatable' && isUnderWay(branch));
  return next && !next.cancelAsked ? [{ fact: 'cancel-asked', branch: next.name }] : [];
}

/** D5. */
function committedAll({ branches }: SagaState): readonly Fact[] {
  return branches.every(({ state }) => state === 'COMMITTED') ? [{ fact: 'ended' }] : [];
}

/** Those whose turn has come: what they come after is prepared; a pivot comes after all that vote. */
function askable(state: SagaState): readonly Fact[] {
  const isReady = (branch: SagaBranch): boolean =>
    branch.kind === 'pivot'
      ? isPrepared(state)
      : branch.after.every((name) => branchOf(state, name)?.state === 'PREPARED');
  return state.branches
    .filter((branch) => branch.state === 'WAITING' && branch.kind !== 'retriable' && isReady(branch))
    .map(({ name }) => ({ fact: 'asked', branch: name }));
}

/** Says again what was not answered: the decision, or to a pivot that it should not run. */
function retry(state: SagaState): readonly Fact[] {
  if (isEnded(state)) return [];
  if (!isDecided(state))
    return state.branches
      .filter((branch) => branch.cancelAsked && isUnderWay(branch))
      .map(({ name }) => ({ fact: 'cancel-asked', branch: name }));
  const open = state.branches.filter((branch) =>
    state.phase === 'ABORTING' ? isUnderWay(branch) : branch.state !== 'COMMITTED',
  );
  // A retriable that lost its ask has neither row nor input: only the ask tells it what to do.
  return open.map(({ kind, name }) => ({
    fact: kind === 'retriable' ? 'asked' : 'decision-repeated',
    branch: name,
  }));
}

/**
 * By hand, where a participant does not answer, or the saga may have been purged: an operator says what
 * became of the branch.
 */
function resolve(state: SagaState, branch: string, committed: boolean, at: number): readonly Fact[] {
  const known = branchOf(state, branch);
  if (!known) return [];
  if (state.phase === 'COMMITTING') return committed ? onCommitted(state, branch, at) : [];
  if (state.phase === 'ABORTING') return committed ? [] : onCancelled(state, branch, true, at);
  if (isEnded(state)) return [];
  const why = { code: 'operator', text: `${branch} was resolved by hand`, branch };
  if (isPerhapsPurged(state)) return committed ? commit(state) : abort(state, why, at);
  if (known.kind !== 'pivot' || !isUnderWay(known)) return [];
  if (!committed) {
    const neverRan: Fact[] = [
      ...(known.cancelAsked ? [] : [{ fact: 'cancel-asked', branch } as const]),
      { fact: 'branch-cancelled', branch, ran: false },
    ];
    return [...neverRan, ...abort(evolve(state, neverRan, at), why, at)];
  }
  const fact: Fact = { fact: 'prepared', branch, reply: null };
  return [fact, ...commit(evolve(state, [fact], at))];
}

/** What a step that was forgotten left to do. Votes come again from their topics, and need nothing here. */
function onRecalled(state: SagaState, lost: readonly string[], at: number): readonly Fact[] {
  if (state.phase === 'ABORTING') return undone(state);
  const gone = state.branches.filter(({ name }) => lost.includes(name));
  const names = gone.map(({ name }) => name).join(', ');
  const text = `what ${names} was to be asked went with a database that was put back`;
  if (state.phase === 'COMMITTING') {
    const waiting = state.branches.filter((branch) => branch.state === 'WAITING' && !gone.includes(branch));
    const asked = waiting.map(({ name }) => ({ fact: 'asked', branch: name }) as const);
    if (gone.length === 0 || state.attention !== null) return asked;
    return [...asked, { fact: 'attention', reason: { code: 'forgotten', text: `${text}: do it by hand` } }];
  }
  const [first] = gone.filter(({ kind }) => kind !== 'retriable');
  if (!first || isDecided(state)) return [];
  return wantAbort(state, { code: 'forgotten', text, branch: first.name }, at);
}

/** D6. */
function contradiction(state: SagaState, branch: string, what: string): readonly Fact[] {
  if (state.attention?.code === 'contradiction') return [];
  return [{ fact: 'attention', reason: { code: 'contradiction', branch, text: `${branch} was ${what}` } }];
}

/** It may hold something: it was asked, and has not said that it holds nothing. */
function isUnderWay({ state }: SagaBranch): boolean {
  return state === 'ASKED' || state === 'PREPARED';
}

function tooLate(state: SagaState): Reason {
  const [first, ...others] = state.branches.filter(({ kind, state: is }) => !isLast(kind) && is === 'ASKED');
  if (!first) return { code: 'deadline', text: 'the last branch was prepared after the deadline' };
  const names = [first, ...others].map(({ name }) => name).join(', ');
  return { code: 'deadline', text: `no answer in time from ${names}`, branch: first.name };
}

function silence(state: SagaState): string {
  const open = state.branches.filter((branch) =>
    state.phase === 'COMMITTING' ? branch.state !== 'COMMITTED' : isUnderWay(branch),
  );
  const names = open.map(({ name, owner }) => `${name} (${owner})`).join(', ');
  return `${names} did not answer for ${Math.round(state.attentionMs / 1_000)} s`;
}

function never(event: never): never {
  throw new TypeError(`no such event: ${JSON.stringify(event)}`);
}
