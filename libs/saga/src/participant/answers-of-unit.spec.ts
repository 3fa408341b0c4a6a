import type { NewEvent } from '@aura/contracts';
import type { RaiseOptions } from '@aura/eventing';
import { newEventId } from '@aura/contracts';
import { beforeEach, expect, it } from 'vitest';
import type { BranchesAnswered } from '../generated/protocol.js';
import { ackOfCommit, refusalOf, voteOf, type Answer, type Answered } from './answers.js';
import { AnswersOfUnit, type Answering } from './answers-of-unit.js';

interface Raised {
  readonly by: string;
  readonly payload: BranchesAnswered;
  readonly options: RaiseOptions | undefined;
}

const raised: Raised[] = [];
beforeEach(() => void raised.splice(0));

const by = (name: string, traceparent: string | null = null): Answering => ({
  traceparent,
  raise({ type, payload }: NewEvent, options?: RaiseOptions) {
    raised.push({ by: name, payload: payload as BranchesAnswered, options });
    return { id: '', type: type.name, key: '' };
  },
});
const branch = (coordinator = 'shop'): Answered => ({
  sagaId: newEventId(new Date()),
  branch: 'stock',
  branchType: 'depot.Hold',
  coordinator,
});
const yes = (of = branch()) => voteOf({ ...of, reply: '1', code: null, reason: null });

/** How `all` of one coordinator are raised; which of them can wait. */
function optionsOf(all: readonly Answer[], waits: readonly boolean[] = []): RaiseOptions | undefined {
  const answers = new AnswersOfUnit('depot');
  for (const [i, each] of all.entries()) answers.add(each, by('one'), waits[i]);
  answers.raise();
  return raised.at(-1)?.options;
}

it('says in one event what is for one coordinator, on behalf of the first', () => {
  const [a, b, c] = [branch(), branch('kiosk'), branch()];
  const answers = new AnswersOfUnit('depot');
  answers.add(yes(a), by('a', 'trace-a'));
  answers.add(refusalOf(b, 'sold-out', 'none is left'), by('b'));
  answers.add(ackOfCommit(c), by('c'));
  answers.raise();
  expect(raised.map(({ by: name, payload }) => [name, payload.coordinator])).toEqual([
    ['a', 'shop'],
    ['b', 'kiosk'],
  ]);
  const [shop, kiosk] = raised;
  expect(shop?.payload).toEqual({
    firstSagaId: a.sagaId,
    coordinator: 'shop',
    answers: [
      {
        sagaId: a.sagaId,
        branch: 'stock',
        branchType: 'depot.Hold',
        says: 'PREPARED',
        reply: '1',
        code: null,
        reason: null,
        traceparent: 'trace-a',
      },
      {
        sagaId: c.sagaId,
        branch: 'stock',
        branchType: 'depot.Hold',
        says: 'COMMITTED',
        reply: null,
        code: null,
        reason: null,
        traceparent: null,
      },
    ],
  });
  expect(kiosk?.payload.answers).toMatchObject([
    { says: 'REFUSED', code: 'sold-out', reason: 'none is left' },
  ]);
});

it('raises nothing where nothing is answered', () => {
  new AnswersOfUnit('depot').raise();
  expect(raised).toEqual([]);
});

it('answers for a hundred at most in one event, in their order', () => {
  const all = Array.from({ length: 201 }, () => yes());
  const answers = new AnswersOfUnit('depot');
  for (const each of all) answers.add(each, by('one'));
  answers.raise();
  expect(raised.map(({ payload }) => payload.answers.length)).toEqual([100, 100, 1]);
  const ids = raised.flatMap(({ payload }) => payload.answers.map(({ sagaId }) => sagaId));
  expect(ids).toEqual(all.map(({ sagaId }) => sagaId));
});

it('lets wait only an event of nothing but what waits', () => {
  expect(optionsOf([yes(), yes()], [true, true])?.withinMs).toBeGreaterThan(0);
  expect(optionsOf([yes(), yes()], [true, false])?.withinMs).toBeUndefined();
});

const partOf = (...all: Answer[]): string | undefined => optionsOf(all)?.part;

it('A2: its part differs wherever anything else is answered', () => {
  const [a, b] = [branch(), branch()];
  const parts = [
    partOf(yes(a)),
    partOf(ackOfCommit(a)),
    partOf(yes(b)),
    partOf(yes(a), yes(b)),
    partOf(yes(a), ackOfCommit(b)),
  ];
  expect(new Set(parts).size).toBe(parts.length);
  expect(partOf(yes(a), yes(b))).toBe(parts[3]);
});
