import { given } from '@aura/testing';
import { describe, expect, it } from 'vitest';
import { MoneyHeld, Noticed, Refunded, Restocked, StockHeld, type Wanted } from '../test/branches.js';
import type { SagaEvent } from './coordinator/decide.js';
import { sagaDecider } from './coordinator/decider.js';
import { evolve, type SagaState } from './coordinator/saga-state.js';
import { saga } from './definition.js';
import { possibleActions, refusalOf } from './operator-rules.js';

const input = (wanted: Wanted): Wanted => wanted;
const purchase = sagaDecider(
  saga<Wanted>('purchase', 1).branch('stock', StockHeld, input).branch('money', MoneyHeld, input),
);
const returned = sagaDecider(
  saga<Wanted>('return', 1)
    .branch('restock', Restocked, input)
    .branch('refund', Refunded, input)
    .branch('notice', Noticed, input),
);
const yes = (branch: string): SagaEvent => ({ type: 'prepared', branch, reply: null });
const resolve = (branch: string, committed: boolean): SagaEvent => ({ type: 'resolve', branch, committed });
const force: SagaEvent = { type: 'force-cancel', code: 'operator', text: 'why' };
const facts = (all: readonly { fact: string; branch?: string }[]): string[] =>
  all.map(({ fact, branch }) => (branch === undefined ? fact : `${fact} ${branch}`));

const asked = given(purchase, [yes('stock')]).state;
const committing = given(purchase, [yes('stock'), yes('money')]).state;
const pivotAsked = given(returned, [yes('restock')]);
/** As an earlier program may have left it: the rules decide at once. */
const undecided: SagaState = { ...committing, phase: 'PREPARED' };

describe('H37: force-commit', () => {
  it('is possible when every branch that votes is prepared and nothing is decided', () => {
    expect(possibleActions(undecided, 0)).toContain('force-commit');
    expect(facts(purchase.decide(undecided, { type: 'force-commit' }, 0))).toEqual(['committed']);
  });

  it('is refused while one is not, with what is possible instead', () => {
    expect(refusalOf(asked, { name: 'force-commit' }, 0)).toBe(
      'not every branch is prepared (money is ASKED). Possible is: abort, force-cancel',
    );
    expect(refusalOf(pivotAsked.state, { name: 'force-commit' }, 0)).toBe(
      'not every branch is prepared (refund is ASKED). Possible is: abort, resolve',
    );
  });

  it('is refused when it is decided, whatever was decided', () => {
    expect(refusalOf(committing, { name: 'force-commit' }, 0)).toBe(
      'it is decided: COMMITTING. Possible is: retry, resolve',
    );
  });

  it('is refused where nothing is known of the branches', () => {
    expect(possibleActions({ ...undecided, branches: [] }, 0)).not.toContain('force-commit');
  });
});

describe('force-cancel', () => {
  it('aborts what no pivot can decide', () => {
    expect(facts(purchase.decide(asked, force, 0))).toEqual(['aborted']);
  });

  it('D3: is refused while a pivot may run: abort only asks it not to', () => {
    expect(refusalOf(pivotAsked.state, { name: 'force-cancel' }, 0)).toBe(
      'its pivot may have run (refund is ASKED). Possible is: abort, resolve',
    );
  });

  it('D3: where it is refused, abort asks the pivot not to run', () => {
    const wanted = pivotAsked.when({ type: 'cancel', code: 'operator', text: 'why' });
    expect(facts(wanted.facts)).toEqual(['abort-wanted', 'attention', 'cancel-asked refund']);
    expect(possibleActions(wanted.state, 0)).toEqual(['retry', 'resolve']);
  });
});

describe('resolve', () => {
  it('decides by what became of a pivot that does not answer', () => {
    expect(facts(pivotAsked.when(resolve('refund', true)).facts)).toEqual([
      'prepared refund',
      'committed',
      'asked notice',
    ]);
    const never = pivotAsked.when(resolve('refund', false));
    expect(facts(never.facts)).toEqual([
      'cancel-asked refund', // its barrier must know, should it come back
      'branch-cancelled refund',
      'aborted',
      'cancel-asked restock',
    ]);
  });

  it('names the branches there are', () => {
    expect(refusalOf(committing, { name: 'resolve', branch: 'shoes', committed: true }, 0)).toMatch(
      /^it has no branch shoes, but stock, money\. Possible/,
    );
  });
});

describe('a saga that may have been purged', () => {
  const why = { code: 'purged', text: 'find out' };
  const unknown: SagaState = { ...undecided, branches: [], why, attention: why };
  const held = evolve(unknown, [{ fact: 'holds', branch: 'stock', branchType: 'stock.StockHeld' }], 0);

  it('U2: only what became of a branch decides it', () => {
    expect(possibleActions(held, 0)).toEqual(['resolve']);
    expect(facts(purchase.decide(held, resolve('stock', true), 0))).toEqual(['committed']);
    expect(facts(purchase.decide(held, resolve('stock', false), 0))).toEqual(['aborted']);
    expect(refusalOf(held, { name: 'abort' }, 0)).toBe(
      'it may have been decided and purged here. Possible is: resolve',
    );
  });
});

it('what has ended has nothing to be done', () => {
  const events: SagaEvent[] = [
    { type: 'cancel', code: 'cancelled', text: 'why' },
    { type: 'branch-cancelled', branch: 'stock', ran: false },
    { type: 'branch-cancelled', branch: 'money', ran: false },
  ];
  const ended = given(purchase, events).state;
  expect(possibleActions(ended, 0)).toEqual([]);
  expect(refusalOf(ended, { name: 'retry' }, 0)).toBe('it has ended: ABORTED. Nothing is to be done');
});
