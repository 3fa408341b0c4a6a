/**
 * One saga of a coordinator and its participants, with everything that may happen next, and all of it by the
 * real pure functions: what coordinator and participants say is announced, read and judged as in a service.
 * What a service does in one transaction is one step. No inbox stands before them: a repetition arrives.
 */
import type { EventEnvelope, NewEvent } from '@aura/contracts';
import { BranchesAnswered } from '../../src/generated/protocol.js';
import type { BarrierState } from '../../src/barrier.js';
import { announcements, coordinatorEvents, type SagaHead } from '../../src/coordinator/announce.js';
import { beginning } from '../../src/coordinator/beginning.js';
import { start } from '../../src/coordinator/decide.js';
import { saidIn } from '../../src/coordinator/hearing.js';
import { evolve, isEnded, type SagaState } from '../../src/coordinator/saga-state.js';
import type { Saga } from '../../src/index.js';
import {
  ackOfCancel,
  ackOfCommit,
  questionOf,
  refusalOf,
  voteOf,
  type Answer,
} from '../../src/participant/answers.js';
import { settled, type BranchRow } from '../../src/participant/branch-row.js';
import { incomingOf, type Incoming } from '../../src/participant/incoming.js';
import type { Wanted } from '../branches.js';
import type { Rules } from './rules.js';

import { violation } from './laws.js';
import {
  keyOfSaga,
  may,
  replaced,
  spend,
  TAIL,
  type Budget,
  type Effects,
  type Step,
  type World,
} from './world.js';

export const SAGA_ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const EARLY = new Date(1);
const LATE = new Date(10_000);
const INPUT = { inputSchema: '0', input: Buffer.alloc(0) };

export class Model {
  readonly #events = coordinatorEvents('shop');
  readonly #messages: EventEnvelope[] = [];
  readonly #numbers = new Map<string, number>();
  /** What was concluded before: the functions are pure, and few of their inputs differ. */
  readonly #concluded = new Map<
    string,
    { readonly saga: SagaState; readonly said: readonly number[] } | null
  >();
  readonly #head: SagaHead;

  constructor(
    private readonly saga: Saga<Wanted>,
    private readonly rules: Rules,
    /** Whether a participant may say no. */
    private readonly refusals: boolean,
  ) {
    const later = Object.fromEntries(
      saga.branches.map(({ name }) => [name, { inputSchema: '0', input: '' }]),
    );
    this.#head = { id: SAGA_ID, type: saga.type, version: saga.version, later };
  }

  initial(budget: Budget): World {
    const begun = beginning(this.saga, 0);
    const saga = evolve(begun, start(begun), 0);
    const asks = saga.branches
      .filter(({ state }) => state === 'ASKED')
      .map(({ name: branch, type: branchType }) => ({ branch, branchType, ...INPUT }));
    const started = this.#events.started.of({
      sagaId: SAGA_ID,
      sagaType: this.saga.type,
      sagaVersion: 1,
      deadline: new Date(saga.deadline),
      asks,
    });
    const each = this.saga.branches;
    return {
      saga,
      said: [this.#number(started)],
      answers: each.map(() => []),
      heard: each.map(() => 0),
      read: each.map(() => 0),
      aside: each.map(() => null),
      rows: each.map(() => undefined),
      effects: each.map(() => ({ prepared: 0, committed: 0, cancelled: 0 })),
      late: false,
      budget,
    };
  }

  /** What has to happen, in any order: what was said is heard, and timers come. */
  needed(world: World): Step[] {
    const steps: Step[] = [];
    const add = (name: string, next: World): void => void steps.push({ name, world: next });
    for (const [i, { name }] of this.saga.branches.entries()) {
      const next = world.said[world.heard[i] as number];
      if (next !== undefined) {
        const moved = { ...world, heard: replaced(world.heard, i, (world.heard[i] as number) + 1) };
        for (const after of this.#told(moved, i, next)) add(`${name} hears ${this.#label(next)}`, after);
      }
      const aside = world.aside[i];
      if (aside !== null && aside !== undefined)
        for (const after of this.#told({ ...world, aside: replaced(world.aside, i, null) }, i, aside))
          add(`${name} handles ${this.#label(aside)} at last`, after);
      for (const unread of this.#unread(world, i))
        add(`the coordinator hears ${this.#label(unread.answer)}`, this.#hears(unread.next, unread.answer));
    }
    const timed = this.#decides(world, { type: 'time' });
    if (world.late && timed !== world) add('the timer comes', timed);
    return steps;
  }

  /** A1 of answers-of-unit.ts: answers are heard in any order. Each, and the world then. */
  #unread(world: World, i: number): { readonly answer: number; readonly next: World }[] {
    const answers = world.answers[i] as readonly number[];
    const read = world.read[i] as number;
    const unread = answers.slice(read);
    return [...new Set(unread)].map((answer) => {
      const others = unread.toSpliced(unread.indexOf(answer), 1);
      const moved = replaced(world.answers, i, [...answers.slice(0, read), answer, ...others]);
      return { answer, next: { ...world, answers: moved, read: replaced(world.read, i, read + 1) } };
    });
  }

  /** What may happen as well: faults, and what people do. A run may end without it. */
  mishaps(world: World): Step[] {
    const late = { name: 'the deadline passes', world: { ...world, late: true } };
    return [
      ...this.saga.branches.flatMap(({ name }, i) => this.#faults(world, i, name)),
      ...this.#coordinatorFaults(world),
      ...(world.late ? [] : [late]),
    ];
  }

  /** What is wrong with this world, whatever follows; undefined: nothing. */
  violation(world: World): string | undefined {
    return violation(this.saga, world);
  }

  /** What is wrong where nothing more has to happen. */
  unfinished(world: World): string | undefined {
    const { saga, effects } = world;
    if (!isEnded(saga)) {
      const far = this.rules.decide(saga, { type: 'time' }, Number.MAX_SAFE_INTEGER);
      const flagged =
        saga.attention !== null || far.some(({ fact }) => fact === 'attention' || fact === 'aborted');
      return flagged ? undefined : `S6: nothing more happens, and it is ${saga.phase} without a flag`;
    }
    if (saga.phase === 'COMMITTED' && effects.some(({ committed }) => committed !== 1))
      return 'S2: committed, but a branch was not committed once';
    return this.#replayed(world);
  }

  /** S7: any old record at any reader changes nothing. */
  #replayed(world: World): string | undefined {
    for (const [i, { name }] of this.saga.branches.entries()) {
      for (const message of new Set(world.said))
        for (const after of this.#told(world, i, message))
          if (after.rows[i]?.state !== world.rows[i]?.state)
            return `S7: ${this.#label(message)} again changes ${name}`;
      for (const message of new Set(world.answers[i]))
        if (keyOfSaga(this.#hears(world, message).saga) !== keyOfSaga(world.saga))
          return `S7: ${this.#label(message)} again changes the saga`;
    }
    return undefined;
  }

  #faults(world: World, i: number, name: string): Step[] {
    const steps: Step[] = [];
    const answers = world.answers[i] as readonly number[];
    const add = (text: string, next: World): void => void steps.push({ name: text, world: next });
    const next = world.said[world.heard[i] as number];
    if (next !== undefined && world.aside[i] === null && may(world, 'parked'))
      add(`${name} puts ${this.#label(next)} aside`, {
        ...spend(world, 'parked'),
        heard: replaced(world.heard, i, (world.heard[i] as number) + 1),
        aside: replaced(world.aside, i, next),
      });
    if (may(world, 'duplicates')) {
      for (const message of new Set(world.said.slice(0, world.heard[i])))
        for (const after of this.#told(spend(world, 'duplicates'), i, message))
          add(`${name} hears ${this.#label(message)} again`, after);
      for (const message of new Set(answers.slice(0, world.read[i])))
        add(
          `the coordinator hears ${this.#label(message)} again`,
          this.#hears(spend(world, 'duplicates'), message),
        );
    }
    if (may(world, 'crashes'))
      for (let from = Math.max(0, answers.length - TAIL); from < answers.length; from++)
        add(`${name} dies and repeats ${answers.length - from}`, {
          ...spend(world, 'crashes'),
          answers: replaced(world.answers, i, [...answers, ...answers.slice(from)]),
        });
    const row = world.rows[i];
    if (row?.state === 'PREPARED' && world.budget.questions > 0)
      add(`${name} asks for the decision`, {
        ...world,
        budget: { ...world.budget, questions: world.budget.questions - 1 },
        answers: replaced(world.answers, i, [...answers, this.#number(questionOf(this.#ownerOf(i), row))]),
      });
    return steps;
  }

  #coordinatorFaults(world: World): Step[] {
    const steps: Step[] = [];
    const { said } = world;
    const again = (from: number): readonly number[] => [...said, ...said.slice(from)];
    if (may(world, 'crashes'))
      for (let from = Math.max(0, said.length - TAIL); from < said.length; from++)
        steps.push({
          name: `the coordinator dies and repeats ${said.length - from}`,
          world: { ...spend(world, 'crashes'), said: again(from) },
        });
    if (may(world, 'lostAcks'))
      steps.push({
        name: 'an acknowledgement is lost',
        world: { ...spend(world, 'lostAcks'), said: again(said.length - 1) },
      });
    if (world.budget.cancels > 0) {
      const cancelled = this.#decides(world, { type: 'cancel', code: 'cancelled', text: 'not wanted' });
      if (cancelled !== world)
        steps.push({
          name: 'the caller cancels',
          world: { ...cancelled, budget: { ...world.budget, cancels: world.budget.cancels - 1 } },
        });
    }
    return steps;
  }

  #decides(world: World, event: Parameters<Rules['decide']>[1], name: string = event.type): World {
    const key = `${keyOfSaga(world.saga)}|${world.late}|${name}`;
    let concluded = this.#concluded.get(key);
    if (concluded === undefined) this.#concluded.set(key, (concluded = this.#conclude(world, event)));
    if (concluded === null) return world;
    return { ...world, saga: concluded.saga, said: [...world.said, ...concluded.said] };
  }

  #conclude(
    { saga, late }: World,
    event: Parameters<Rules['decide']>[1],
  ): { readonly saga: SagaState; readonly said: readonly number[] } | null {
    const at = late ? LATE.getTime() : EARLY.getTime();
    const facts = this.rules.decide(saga, event, at);
    if (facts.length === 0) return null;
    const raised = announcements(this.#events, this.#head, saga, facts, at);
    // Every time is the same: only whether the deadline has passed tells worlds apart.
    const next = { ...evolve(saga, facts, at), movedAt: 0 };
    return { saga: next, said: raised.map((each) => this.#number(each)) };
  }

  #hears(world: World, message: number): World {
    const [said] = saidIn(this.#messages[message] as EventEnvelope);
    return said ? this.#decides(world, said.event, `message ${message}`) : world;
  }

  /** Several worlds where a participant may say yes or no. A clock may be behind: late, or not yet. */
  #told(world: World, i: number, message: number): World[] {
    const branch = this.saga.branches[i];
    const event = this.#messages[message] as EventEnvelope;
    const [incoming] = incomingOf(event).filter(({ branch: name }) => name === branch?.name);
    if (!incoming || !branch) return [world];
    const { kind } = branch.type;
    const row = world.rows[i];
    const { phase } = incoming;
    if (kind === 'retriable' && phase === 'commit' && !row) return [world];
    if (phase !== 'prepare' || kind === 'retriable')
      return this.#acts(world, i, incoming, { phase: phase === 'prepare' ? 'commit' : phase });
    const lates = world.late ? [true, false] : [false];
    return lates.flatMap((late) => this.#acts(world, i, incoming, { phase, late }));
  }

  #acts(world: World, i: number, incoming: Incoming, ask: Parameters<Rules['barrier']>[2]): World[] {
    const branch = this.saga.branches[i] as Saga<Wanted>['branches'][number];
    const row = world.rows[i];
    const action = this.rules.barrier(branch.type.kind, row?.state, ask);
    const now = world.late ? LATE : EARLY;
    const acted = (how: { yes?: boolean; code?: string }): World => {
      const vote =
        how.yes === true
          ? ({ prepared: true, reply: undefined } as const)
          : ({ prepared: false, code: how.code ?? 'no', reason: 'no' } as const);
      const next = settled(row, incoming, branch.type.kind, action, {
        yes: how.yes === true,
        vote,
        failed: false,
        now,
        askAt: now,
      });
      const said = this.#answer(i, action, next, incoming);
      const effects = replaced(
        world.effects,
        i,
        effectsAfter(world.effects[i] as Effects, action.do, next?.state),
      );
      const rows = replaced(world.rows, i, next);
      const answers = said
        ? replaced(world.answers, i, [...(world.answers[i] as readonly number[]), said])
        : world.answers;
      return { ...world, rows, effects, answers };
    };
    if (action.do === 'prepare')
      return this.refusals ? [acted({ yes: true }), acted({ yes: false })] : [acted({ yes: true })];
    if (action.do === 'refuse') return [acted({ yes: false, code: action.code })];
    return [acted({})];
  }

  #answer(
    i: number,
    action: ReturnType<Rules['barrier']>,
    row: BranchRow | undefined,
    incoming: Incoming,
  ): number | undefined {
    const say = ({ coordinator, ...answer }: Answer): number => {
      const answers = [{ ...answer, traceparent: null }];
      return this.#number(
        BranchesAnswered.by(this.#ownerOf(i)).of({ firstSagaId: SAGA_ID, coordinator, answers }),
      );
    };
    switch (action.do) {
      case 'prepare':
      case 'refuse':
      case 'answer-vote':
        return row && say(voteOf(row));
      case 'refuse-cancelled':
        return say(refusalOf(incoming, 'cancelled', 'it was cancelled before it was asked'));
      case 'commit':
      case 'answer-committed':
        return row && say(ackOfCommit(row));
      case 'cancel':
        return row && say(ackOfCancel(row, true));
      case 'bury':
        return say(ackOfCancel(incoming, false));
      case 'answer-cancelled':
        return say(ackOfCancel(incoming, action.ran));
      default:
        return undefined;
    }
  }

  #ownerOf(i: number): string {
    return this.saga.branches[i]?.type.service ?? '';
  }

  #number({ type, payload }: NewEvent): number {
    const key = JSON.stringify([type.name, type.topic, payload]);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const event = { type: type.name, topic: type.topic, key: SAGA_ID, payload, headers: {} };
    this.#messages.push(event as unknown as EventEnvelope);
    this.#numbers.set(key, this.#messages.length - 1);
    return this.#messages.length - 1;
  }

  #label(message: number): string {
    const { type, topic, payload } = this.#messages[message] as EventEnvelope;
    const said = (payload as Partial<BranchesAnswered>).answers?.[0]?.says ?? type.replace('aura.', '');
    return `${said} of ${topic.replace('.events', '')}`;
  }
}

function effectsAfter(before: Effects, action: string, state: BarrierState | undefined): Effects {
  if (action === 'prepare' && state === 'PREPARED') return { ...before, prepared: before.prepared + 1 };
  if (action === 'commit') return { ...before, committed: before.committed + 1 };
  return action === 'cancel' ? { ...before, cancelled: before.cancelled + 1 } : before;
}
