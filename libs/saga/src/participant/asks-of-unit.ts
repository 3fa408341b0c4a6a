/**
 * What the events of one run ask of this service, done: rows read once, the barrier asked for each, the
 * participants called in sets, answers raised, rows written once.
 *
 * P1 each saga's events take effect in their order; those of different sagas go together;
 * P2 an answer is raised in the transaction that writes its row (B1..B6 are decided under the row's lock);
 * P3 a decision counts only from the service that asked, on its own topic, for the type that was asked (H28);
 * P4 a commit or a cancel that throws is undone alone and becomes a task: nothing waits behind it.
 */
import type { BranchKind, EventEnvelope } from '@aura/contracts';
import type { Work } from '@aura/eventing';
import { asError, type Logger } from '@aura/platform';
import { barrier, type BarrierAction, type BarrierAsk } from '../barrier.js';
import type { Alarms } from './alarms.js';
import { ackOfCancel, ackOfCommit, refusalOf, voteOf, type Answer } from './answers.js';
import { AnswersOfUnit } from './answers-of-unit.js';
import { Asked } from './asked.js';
import { insertBranches, lockBranches, updateBranches } from './barrier-store.js';
import { keyOf, settled, type BranchRow, type Settled } from './branch-row.js';
import { scheduleWork } from './branch-tasks.js';
import { finishAll, lockAll, prepareAll, type Call, type Failure } from './business.js';
import { incomingOf, roundsOf, type Incoming } from './incoming.js';
import { askIn, type KnownBranch, type KnownBranches } from './known-branches.js';
import { refused, type Vote } from './participant.js';

export interface ParticipantContext {
  readonly branches: KnownBranches;
  readonly service: string;
  readonly alarms: Alarms;
  readonly logger: Logger;
  /** How old a yes gets before it asks for its decision (ms). */
  readonly askAfterMs: number;
  /** A yes of this process asks at `at`, if it is not told before. Must not throw. */
  onHeld(at: Date): void;
}

/** One ask with what is to be done about it. */
interface Item {
  readonly incoming: Incoming;
  readonly branch: KnownBranch;
  readonly action: BarrierAction;
  readonly asked: Asked;
}

interface Readable extends Item, Call {}

/** Alike in type and action, in the order of their sagas' ids. `calls`: those a participant is called for. */
interface Group extends Pick<Item, 'branch' | 'action'> {
  readonly items: readonly Item[];
  readonly calls: readonly Readable[];
}

export class AsksOfUnit {
  readonly #rows = new Map<string, BranchRow>();
  /** Keys of rows that there were; of those that were changed. */
  readonly #stored = new Set<string>();
  readonly #changed = new Set<string>();
  readonly #answers: AnswersOfUnit;

  constructor(
    private readonly context: ParticipantContext,
    private readonly work: Work,
  ) {
    this.#answers = new AnswersOfUnit(context.service);
  }

  async handle(events: readonly EventEnvelope[]): Promise<void> {
    const { branches } = this.context;
    const asks = events.flatMap(incomingOf).filter(({ branchType }) => branches.of(branchType));
    if (asks.length === 0) return;
    for (const row of await lockBranches(this.work, [...new Map(asks.map((a) => [keyOf(a), a])).values()])) {
      this.#rows.set(keyOf(row), row);
      this.#stored.add(keyOf(row));
    }
    for (const round of roundsOf(asks)) await this.#round(round); // P1
    await this.#write();
    this.#answers.raise(); // P2
  }

  async #write(): Promise<void> {
    const changed = [...this.#changed].flatMap((key) => this.#rows.get(key) ?? []);
    const isStored = (row: BranchRow): boolean => this.#stored.has(keyOf(row));
    const isNew = (row: BranchRow): boolean => !isStored(row);
    await Promise.all([
      updateBranches(this.work, changed.filter(isStored)),
      insertBranches(this.work, changed.filter(isNew)),
    ]);
    const times = changed.flatMap(({ askAt }) => (askAt === null ? [] : [askAt.getTime()]));
    if (times.length > 0) this.work.afterCommit(() => this.context.onHeld(new Date(Math.min(...times))));
  }

  async #round(asks: readonly Incoming[]): Promise<void> {
    const items = asks.flatMap((ask) => this.#judge(ask) ?? []);
    try {
      const alike = [...Map.groupBy(items, groupNameOf)].toSorted(([a], [b]) => (a < b ? -1 : 1));
      const groups = alike.flatMap(([, group]) => this.#groupOf(group.toSorted(bySaga)));
      for (const [branch, ofType] of Map.groupBy(groups, (group) => group.branch)) {
        const calls = ofType.flatMap((group) => group.calls);
        await lockAll(branch, calls, this.work);
      }
      for (const group of groups) await this.#do(group);
    } finally {
      for (const { asked } of items) asked.end();
    }
  }

  /** Undefined where nothing is to be done. */
  #judge(incoming: Incoming): Item | undefined {
    const { branches } = this.context;
    const branch = branches.of(incoming.branchType);
    if (!branch) return undefined;
    const row = this.#rows.get(keyOf(incoming));
    const forged = forgery(incoming, branch, row);
    if (forged !== undefined) return this.#alarm(incoming, forged);
    const { kind } = branch.type;
    const { phase, given } = incoming;
    // A decision alone does not say what a retriable branch is to do: its ask does, and follows.
    if (kind === 'retriable' && phase === 'commit' && !row) return undefined;
    const late = given !== undefined && this.work.now > given.deadline;
    const action = barrier(kind, row?.state, askOf(kind, phase, late));
    if (action.do === 'alarm') return this.#alarm(incoming, action.violation);
    if (action.do === 'nothing') return undefined;
    return { incoming, branch, action, asked: new Asked(incoming, branch) };
  }

  #alarm(incoming: Incoming, words: string): undefined {
    const { event, sagaId, branch, branchType, coordinator } = incoming;
    const fields = { eventId: event.id, event: event.type, sagaId, branch, branchType, coordinator };
    const subject = `saga ${sagaId}, branch ${branch}`;
    this.context.alarms.raise(subject, `${words} (${event.type} of ${coordinator})`, this.work.now, fields);
  }

  #groupOf(items: readonly Item[]): Group[] {
    const [head] = items;
    if (!head) return [];
    const { branch, action } = head;
    const isCalled = action.do === 'prepare' || action.do === 'commit' || action.do === 'cancel';
    return [{ branch, action, items, calls: isCalled ? items.flatMap((item) => this.#readable(item)) : [] }];
  }

  /** What can't be read is settled here. */
  #readable(item: Item): Readable[] {
    try {
      return [{ ...item, ask: this.#askOf(item) }];
    } catch (error) {
      this.#unreadable(item, asError(error));
      return [];
    }
  }

  #askOf({ incoming, branch }: Item) {
    const { sagaId, branch: name, coordinator, given } = incoming;
    const row = this.#rows.get(keyOf(incoming));
    if (row || !given) return askIn(row as BranchRow, branch);
    const input = branch.codec.decode(given.input);
    return { sagaId, branch: name, coordinator, input, deadline: given.deadline };
  }

  #unreadable(item: Item, error: Error): void {
    item.asked.failed(error);
    const { sagaId, branch } = item.incoming;
    this.context.logger.error({ err: error, sagaId, branch }, 'saga: the input of an ask can’t be read');
    if (item.action.do === 'prepare') this.#voted(item, refused('unreadable', error.message.slice(0, 1_000)));
    else this.#finished(item, error);
  }

  async #do({ branch, action, items, calls }: Group): Promise<void> {
    const { logger } = this.context;
    if (action.do === 'prepare' && branch.outside) for (const call of calls) this.#begin(call);
    else if (action.do === 'prepare') {
      const votes = calls.length > 0 ? await prepareAll(branch, calls, this.work, logger) : [];
      for (const [i, call] of calls.entries()) this.#voted(call, votes[i] as Vote);
    } else if (action.do === 'commit' || action.do === 'cancel') {
      const failures = calls.length > 0 ? await finishAll(action.do, branch, calls, this.work, logger) : [];
      for (const [i, call] of calls.entries()) this.#finished(call, failures[i]);
    } else for (const item of items) this.#answer(item);
  }

  /** An external branch: a task calls outside, the vote comes from there. */
  #begin(item: Item): void {
    const row = this.#settle(item, {});
    if (row) scheduleWork('call', row, item.asked.on(this.work));
  }

  #voted(item: Item, vote: Vote): void {
    const { askAfterMs } = this.context;
    item.asked.voted(vote);
    const askAt = new Date(this.work.now.getTime() + askAfterMs);
    const row = this.#settle(item, { yes: vote.prepared, vote, askAt });
    if (row) this.#say(item, voteOf(row));
  }

  /** P4. */
  #finished(item: Item, failure: Failure): void {
    const row = this.#settle(item, { failed: failure !== undefined });
    if (!row) return;
    if (failure) scheduleWork('work', row, item.asked.on(this.work));
    else if (row.state === 'RELEASING') scheduleWork('release', row, item.asked.on(this.work));
    else if (item.action.do === 'commit') this.#say(item, ackOfCommit(row), true);
    else this.#say(item, ackOfCancel(row, true));
  }

  /** What needs no participant. */
  #answer(item: Item): void {
    const { incoming, action } = item;
    if (action.do === 'refuse') return this.#voted(item, refused(action.code, LATE));
    const row = this.#settle(item, {});
    if (action.do === 'bury') this.#say(item, ackOfCancel(incoming, false));
    else if (action.do === 'refuse-cancelled') this.#say(item, refusalOf(incoming, 'cancelled', BURIED));
    else if (!row) return;
    else if (action.do === 'answer-vote') this.#say(item, voteOf(row));
    else if (action.do === 'answer-committed') this.#say(item, ackOfCommit(row));
    else if (action.do === 'answer-cancelled') this.#say(item, ackOfCancel(row, action.ran));
  }

  #settle({ incoming, branch, action }: Item, how: Omit<Settled, 'now'>): BranchRow | undefined {
    const key = keyOf(incoming);
    const before = this.#rows.get(key);
    const row = settled(before, incoming, branch.type.kind, action, { ...how, now: this.work.now });
    if (row && row !== before) {
      this.#rows.set(key, row);
      this.#changed.add(key);
    }
    return row;
  }

  #say({ asked }: Item, answer: Answer, waits?: boolean): void {
    const raise: Work['raise'] = (event, options) => asked.on(this.work).raise(event, options);
    this.#answers.add(answer, { raise, traceparent: asked.traceparent }, waits);
  }
}

const LATE = 'it was asked after the deadline of its saga';
const BURIED = 'it was cancelled before it was asked';

/** P3. Why an ask must not count; undefined where it may. */
function forgery(
  { branchType, coordinator }: Incoming,
  { type }: KnownBranch,
  row: BranchRow | undefined,
): string | undefined {
  if (!type.coordinators.includes(coordinator)) return `${coordinator} may not ask for ${type.name}`;
  if (!row) return undefined;
  if (row.coordinator !== coordinator)
    return `${coordinator} spoke of a branch that ${row.coordinator} asked for`;
  return row.branchType === branchType
    ? undefined
    : `it was asked as ${row.branchType}, not as ${branchType}`;
}

/** A retriable branch is asked to act: after the commit, and whatever the time. */
function askOf(kind: BranchKind, phase: Incoming['phase'], late: boolean): BarrierAsk {
  if (phase === 'prepare') return kind === 'retriable' ? { phase: 'commit' } : { phase, late };
  return { phase };
}

function groupNameOf({ branch, action }: Item): string {
  return `${branch.type.name} ${action.do}`;
}

function bySaga({ incoming: a }: Item, { incoming: b }: Item): number {
  if (a.sagaId !== b.sagaId) return a.sagaId < b.sagaId ? -1 : 1;
  return a.branch < b.branch ? -1 : a.branch > b.branch ? 1 : 0;
}
