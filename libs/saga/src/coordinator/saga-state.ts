/**
 * Pure: what a coordinator knows of one saga, and how facts change it. Facts are what `saga_log` keeps: the
 * state is their fold, and nothing else changes it.
 */
import type { BranchKind } from '@aura/contracts';

/** The type of sagas that were asked for, but never known here. */
export const UNKNOWN = 'unknown';

export type SagaPhase = 'PREPARING' | 'PREPARED' | 'COMMITTING' | 'COMMITTED' | 'ABORTING' | 'ABORTED';

/**
 * - `WAITING`: not asked yet, because others come first;
 * - `CANCELLED`: undone, or it never ran; `COMPENSATED`: its effect was visible, and is undone.
 */
export type BranchState =
  'WAITING' | 'ASKED' | 'PREPARED' | 'REFUSED' | 'COMMITTED' | 'CANCELLED' | 'COMPENSATED';

/** One branch; its name, type, kind and order are pinned when the saga starts. */
export interface SagaBranch {
  readonly name: string;
  /** Full name of its contract. */
  readonly type: string;
  /** The only service whose answers count. */
  readonly owner: string;
  readonly kind: BranchKind;
  /** Branches that have to be prepared before it is asked. */
  readonly after: readonly string[];
  readonly state: BranchState;
  /** Told to undo itself, alone: compensations one by one, and a pivot that has not answered. */
  readonly cancelAsked: boolean;
  /** JSON, as the participant gave it. */
  readonly reply: string | null;
  readonly refusal: Reason | null;
}

/** Why a saga was aborted, or has to be looked at: a word for programs, a sentence for people. */
export interface Reason {
  readonly code: string;
  readonly text: string;
  /** The branch that it came from. */
  readonly branch?: string;
}

export interface SagaState {
  readonly phase: SagaPhase;
  /** In the order in which they were declared. */
  readonly branches: readonly SagaBranch[];
  /** Ms since 1970: until then every branch has to be prepared. */
  readonly deadline: number;
  /** How long (ms) nothing may change before an operator is told. */
  readonly attentionMs: number;
  /** When it last moved, ms since 1970. */
  readonly movedAt: number;
  /** Of the abort; also of one that is wanted while a pivot has not answered. */
  readonly why: Reason | null;
  /** For operators; never an end. */
  readonly attention: Reason | null;
}

export type Fact =
  | { readonly fact: 'asked'; readonly branch: string }
  | { readonly fact: 'prepared'; readonly branch: string; readonly reply: string | null }
  | { readonly fact: 'refused'; readonly branch: string; readonly code: string; readonly text: string }
  | { readonly fact: 'committed' }
  | { readonly fact: 'aborted'; readonly why: Reason }
  | { readonly fact: 'abort-wanted'; readonly why: Reason }
  | { readonly fact: 'cancel-asked'; readonly branch: string }
  | { readonly fact: 'branch-committed'; readonly branch: string }
  | { readonly fact: 'branch-cancelled'; readonly branch: string; readonly ran: boolean }
  | { readonly fact: 'decision-repeated'; readonly branch: string }
  | { readonly fact: 'attention'; readonly reason: Reason }
  /** Who asked for what follows, and why. */
  | { readonly fact: 'operator'; readonly action: string; readonly by: string; readonly reason: string }
  /** A participant asked about a saga that is not known here: it holds. */
  | { readonly fact: 'holds'; readonly branch: string; readonly branchType: string }
  /** What follows was read back from the topic: this database had forgotten it (amnesia.ts). */
  | { readonly fact: 'recalled' }
  | { readonly fact: 'ended' };

/** Folds facts into the state. `at`: when they happened (ms since 1970). */
export function evolve(state: SagaState, facts: readonly Fact[], at: number): SagaState {
  return facts.reduce((before, fact) => evolveOne(before, fact, at), state);
}

function evolveOne(state: SagaState, fact: Fact, at: number): SagaState {
  switch (fact.fact) {
    case 'asked':
      return moved(withBranch(state, fact.branch, { state: 'ASKED' }), at);
    case 'prepared': {
      const is = branchOf(state, fact.branch)?.state === 'COMMITTED' ? 'COMMITTED' : 'PREPARED';
      return moved(withBranch(state, fact.branch, { state: is, reply: fact.reply }), at);
    }
    case 'refused': {
      const refusal = { code: fact.code, text: fact.text };
      return moved(withBranch(state, fact.branch, { state: 'REFUSED', refusal }), at);
    }
    case 'committed':
      return moved({ ...state, phase: 'COMMITTING', why: null, attention: null }, at);
    case 'aborted':
      return moved({ ...state, phase: 'ABORTING', why: fact.why, attention: null }, at);
    case 'abort-wanted':
      return { ...state, why: fact.why };
    case 'cancel-asked':
      return moved(withBranch(state, fact.branch, { cancelAsked: true }), at);
    case 'branch-committed':
      return moved(withBranch(state, fact.branch, { state: 'COMMITTED' }), at);
    case 'branch-cancelled':
      return moved(cancelled(state, fact.branch, fact.ran), at);
    case 'decision-repeated':
    case 'operator':
    case 'recalled':
      return state;
    case 'holds':
      return moved({ ...state, branches: [...state.branches, heldBranch(fact.branch, fact.branchType)] }, at);
    case 'attention':
      return { ...state, attention: fact.reason };
    case 'ended':
      return { ...state, phase: endOf(state.phase), attention: null };
    default:
      return never(fact);
  }
}

/** A branch of which only its name and its contract are known, and that it may hold. */
export function heldBranch(name: string, type: string): SagaBranch {
  const unanswered = { after: [], cancelAsked: false, reply: null, refusal: null } as const;
  return { name, type, owner: ownerOf(type), kind: 'reservable', state: 'PREPARED', ...unanswered };
}

/** The service of a branch's contract, `<owner>.<Branch>`. */
export function ownerOf(branchType: string): string {
  return branchType.slice(0, branchType.lastIndexOf('.'));
}

/** Prepared all, apart from what comes last: pivot and retriables. */
export function isPrepared({ branches }: SagaState): boolean {
  return branches.every(({ kind, state }) => isLast(kind) || state === 'PREPARED');
}

export function isDecided({ phase }: Pick<SagaState, 'phase'>): boolean {
  return phase !== 'PREPARING' && phase !== 'PREPARED';
}

export function isEnded({ phase }: Pick<SagaState, 'phase'>): boolean {
  return phase === 'COMMITTED' || phase === 'ABORTED';
}

export function branchOf({ branches }: SagaState, name: string): SagaBranch | undefined {
  return branches.find((branch) => branch.name === name);
}

/** Asked when all others are prepared (a pivot), or after the commit (retriables). */
export function isLast(kind: BranchKind): boolean {
  return kind === 'pivot' || kind === 'retriable';
}

/** The code of what is said of a saga that may have been purged: only people can find out what it was. */
export const PURGED = 'purged';

/** Not known here, and so old that it may have been decided and purged. */
export function isPerhapsPurged(state: SagaState): boolean {
  return !isDecided(state) && state.why?.code === PURGED;
}

/**
 * What its branches have said decides it: only a replica that does not declare its version leaves it at that
 * (C3 of coordinator.ts).
 */
export function isConclusive(state: SagaState): boolean {
  if (isDecided(state) || isPerhapsPurged(state)) return false;
  const voting = state.branches.filter(({ kind }) => kind !== 'retriable');
  return (
    voting.every(({ state: is }) => is === 'PREPARED') ||
    voting.some(({ kind, state: is }) => is === 'REFUSED' || (kind === 'pivot' && is === 'CANCELLED'))
  );
}

/** When the coordinator has to look by itself (ms since 1970); undefined: it waits for others only. */
export function wakeAt(state: SagaState): number | undefined {
  if (isEnded(state)) return undefined;
  if (isConclusive(state)) return state.movedAt;
  if (state.phase === 'PREPARING') return state.deadline;
  if (state.phase === 'PREPARED' && state.why === null) return Math.max(state.deadline, state.movedAt);
  return state.attention === null ? state.movedAt + state.attentionMs : undefined;
}

function withBranch(state: SagaState, name: string, change: Partial<SagaBranch>): SagaState {
  const branches = state.branches.map((each) => (each.name === name ? { ...each, ...change } : each));
  return { ...state, phase: phaseOf(state.phase, branches), branches };
}

/** The last yes of those that come first: from here on it is prepared. */
function phaseOf(phase: SagaPhase, branches: readonly SagaBranch[]): SagaPhase {
  if (phase !== 'PREPARING') return phase;
  return branches.every(({ kind, state }) => isLast(kind) || state === 'PREPARED') ? 'PREPARED' : phase;
}

function cancelled(state: SagaState, name: string, ran: boolean): SagaState {
  const compensates = branchOf(state, name)?.kind === 'compensatable' && ran;
  return withBranch(state, name, { state: compensates ? 'COMPENSATED' : 'CANCELLED' });
}

/** Whoever was silent has spoken. */
function moved(state: SagaState, at: number): SagaState {
  return { ...state, movedAt: at, attention: state.attention?.code === 'silent' ? null : state.attention };
}

function endOf(phase: SagaPhase): SagaPhase {
  if (phase === 'COMMITTING') return 'COMMITTED';
  return phase === 'ABORTING' ? 'ABORTED' : phase;
}

function never(fact: never): never {
  throw new TypeError(`no such fact: ${JSON.stringify(fact)}`);
}
