/** The return, given-when-then: each kind of branch at its time, and what a refusal undoes. No database. */
import { sagaDecider, type SagaEvent } from '@aura/saga';
import { given } from '@aura/testing';
import { describe, expect, it } from 'vitest';
import { returnOutfit } from './return-outfit.saga.js';

const saga = sagaDecider(returnOutfit(10_000));
const yes = (branch: string): SagaEvent => ({ type: 'prepared', branch, reply: null });
const no = (branch: string, code: string): SagaEvent => ({ type: 'refused', branch, code, text: 'no' });
const done = (branch: string): SagaEvent => ({ type: 'branch-committed', branch });
const undone: SagaEvent = { type: 'branch-cancelled', branch: 'restock', ran: true };
const late: SagaEvent = { type: 'time' };

type Scenario = ReturnType<
  typeof given<typeof saga.initial, SagaEvent, ReturnType<typeof saga.decide>[number]>
>;
const facts = ({ facts: all }: Scenario): string[] =>
  all.map((fact) => ('branch' in fact ? `${fact.fact} ${fact.branch}` : fact.fact));
const states = ({ state }: Scenario): Record<string, string> =>
  Object.fromEntries(state.branches.map(({ name, state: is }) => [name, is]));

it('asks for the restock alone: nothing is paid back before it, nobody told', () => {
  expect(states(given(saga))).toEqual({ restock: 'ASKED', refund: 'WAITING', notice: 'WAITING' });
});

it('a restock that is refused ends it: no money was asked back', () => {
  const refused = given(saga).when(no('restock', 'already-returned'));
  expect(refused.state).toMatchObject({
    phase: 'ABORTED',
    why: { branch: 'restock', code: 'already-returned' },
  });
  expect(states(refused)).toEqual({ restock: 'REFUSED', refund: 'WAITING', notice: 'WAITING' });
});

it('asks for the refund when the pieces are back, and its yes is the decision', () => {
  const back = given(saga).when(yes('restock'));
  expect(facts(back)).toEqual(['prepared restock', 'asked refund']);
  const paid = back.when(yes('refund'));
  expect(facts(paid)).toEqual(['prepared refund', 'committed', 'asked notice']);
});

describe('a refund that is declined', () => {
  const declined = given(saga, [yes('restock')]).when(no('refund', 'refund-declined'));

  it('aborts, and takes the pieces out of stock again', () => {
    expect(facts(declined)).toEqual(['refused refund', 'aborted', 'cancel-asked restock']);
    expect(declined.state.why).toMatchObject({ branch: 'refund', code: 'refund-declined' });
  });

  it('has ended when they are out, with nobody told', () => {
    const ended = declined.when(undone);
    expect(ended.state.phase).toBe('ABORTED');
    expect(states(ended)).toEqual({ restock: 'COMPENSATED', refund: 'REFUSED', notice: 'WAITING' });
  });
});

describe('the deadline', () => {
  it('aborts while the pieces are asked for, and undoes what they may have done', () => {
    const over = given(saga).when(late, 10_000);
    expect(facts(over)).toEqual(['aborted', 'cancel-asked restock']);
    expect(over.state.why?.text).toBe('no answer in time from restock');
  });

  it('does not abort while money may be on its way back: it asks not to pay, and tells an operator', () => {
    const asked = given(saga, [yes('restock')]);
    const over = asked.when(late, 10_000);
    expect(facts(over)).toEqual(['abort-wanted', 'attention', 'cancel-asked refund']);
    expect(over.state.phase).toBe('PREPARED');
    const paid = over.when(yes('refund'), 11_000);
    expect(paid.state).toMatchObject({ phase: 'COMMITTING', why: null, attention: null });
    const never = over.when({ type: 'branch-cancelled', branch: 'refund', ran: false }, 11_000);
    expect(facts(never)).toEqual(['branch-cancelled refund', 'aborted', 'cancel-asked restock']);
  });
});

it('the notice is waited for as long as it takes, and changes nothing any more', () => {
  const decided = given(saga, [yes('restock'), yes('refund'), done('restock'), done('refund')]);
  expect(decided.state.phase).toBe('COMMITTING');
  const silent = decided.when(late, 200_000);
  expect(silent.state).toMatchObject({ phase: 'COMMITTING', attention: { code: 'silent' } });
  expect(facts(silent.when(done('notice'), 900_000))).toEqual(['branch-committed notice', 'ended']);
});
