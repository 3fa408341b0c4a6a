import { given } from '@aura/testing';
import { describe, expect, it } from 'vitest';
import {
  Labelled,
  MoneyHeld,
  Noticed,
  Refunded,
  Restocked,
  SlotHeld,
  StockHeld,
  type Wanted,
} from '../../test/branches.js';
import { saga } from '../definition.js';
import type { SagaEvent } from './decide.js';
import { sagaDecider } from './decider.js';
import { wakeAt, type Fact } from './saga-state.js';

const input = (wanted: Wanted): Wanted => wanted;
const purchase = sagaDecider(
  saga<Wanted>('purchase', 1)
    .branch('stock', StockHeld, input)
    .branch('money', MoneyHeld, input)
    .branch('slot', SlotHeld, input, { after: ['stock', 'money'] })
    .within({ prepareMs: 5_000, attentionMs: 60_000 }),
);
const returned = sagaDecider(
  saga<Wanted>('return', 1)
    .branch('restock', Restocked, input)
    .branch('label', Labelled, input)
    .branch('refund', Refunded, input)
    .branch('notice', Noticed, input)
    .within({ prepareMs: 5_000, attentionMs: 60_000 }),
);

const yes = (branch: string): SagaEvent => ({ type: 'prepared', branch, reply: null });
const no = (branch: string): SagaEvent => ({
  type: 'refused',
  branch,
  code: 'sold-out',
  text: 'none is left',
});
const committed = (branch: string): SagaEvent => ({ type: 'branch-committed', branch });
const cancelled = (branch: string, ran = true): SagaEvent => ({ type: 'branch-cancelled', branch, ran });
const time: SagaEvent = { type: 'time' };
const cancel: SagaEvent = { type: 'cancel', code: 'cancelled', text: 'the buyer changed her mind' };
const by = (branch: string, was: boolean): SagaEvent => ({ type: 'resolve', branch, committed: was });
const prepared = (branch: string): Fact => ({ fact: 'prepared', branch, reply: null });
const names = (facts: readonly { fact: string; branch?: string }[]): string[] =>
  facts.map(({ fact, branch }) => (branch === undefined ? fact : `${fact} ${branch}`));

describe('prepare', () => {
  it('asks at once what comes after nothing', () => {
    const { branches } = given(purchase).state;
    expect(branches.map(({ state }) => state)).toEqual(['ASKED', 'ASKED', 'WAITING']);
  });

  it('asks an ordered branch when all before it are prepared, not earlier', () => {
    const one = given(purchase).when(yes('money'));
    expect(names(one.facts)).toEqual(['prepared money']);
    expect(names(one.when(yes('stock')).facts)).toEqual(['prepared stock', 'asked slot']);
  });

  it('D2: commits with the last yes, and only then', () => {
    const last = given(purchase, [yes('stock'), yes('money')]).when(yes('slot'));
    expect(names(last.facts)).toEqual(['prepared slot', 'committed']);
    expect(last.state.phase).toBe('COMMITTING');
  });

  it('D2: a last yes after the deadline aborts', () => {
    const late = given(purchase, [yes('stock'), yes('money')]).when(yes('slot'), 5_001);
    expect(names(late.facts)).toEqual(['prepared slot', 'aborted']);
    expect(late.state.why).toMatchObject({ code: 'deadline' });
  });

  it('a refusal aborts, and says which branch and why', () => {
    const refused = given(purchase, [yes('stock')]).when(no('money'));
    expect(names(refused.facts)).toEqual(['refused money', 'aborted']);
    expect(refused.state.why).toEqual({ code: 'sold-out', text: 'none is left', branch: 'money' });
  });

  it('a saga of which nothing is held ends with its refusal', () => {
    const both = given(purchase, [no('stock'), cancelled('money', false)]);
    expect(both.state.phase).toBe('ABORTED');
  });
});

describe('deadline and cancel', () => {
  it('the deadline names who did not answer', () => {
    const late = given(purchase, [yes('stock')]).when(time, 5_000);
    expect(late.state.why).toEqual({
      code: 'deadline',
      text: 'no answer in time from money',
      branch: 'money',
    });
  });

  it('nothing happens before it', () => {
    expect(given(purchase).when(time, 4_999).facts).toEqual([]);
    expect(wakeAt(given(purchase).state)).toBe(5_000);
  });

  it('a caller cancels while it still can', () => {
    expect(names(given(purchase).when(cancel).facts)).toEqual(['aborted']);
    const decided = given(purchase, [yes('stock'), yes('money'), yes('slot')]);
    expect(decided.when(cancel).facts).toEqual([]);
  });
});

describe('finish', () => {
  const decided = given(purchase, [yes('stock'), yes('money'), yes('slot')]);

  it('D5: ends with the last acknowledgement', () => {
    const all = decided.when(committed('slot')).when(committed('stock'));
    expect(all.state.phase).toBe('COMMITTING');
    expect(names(all.when(committed('money')).facts)).toEqual(['branch-committed money', 'ended']);
  });

  it('D1: neither deadline nor refusal change a decision', () => {
    expect(decided.when(time, 9_000).facts).toEqual([]);
    expect(names(decided.when(no('stock')).facts)).toEqual([]);
    expect(decided.state.phase).toBe('COMMITTING');
  });

  it('takes the reply of a branch that has said before that it committed, once', () => {
    const replied: SagaEvent = { type: 'prepared', branch: 'stock', reply: '"shelf 7"' };
    // As after a commit that was taken back from the topic: nobody has said yet what is prepared.
    const { state } = given({
      ...purchase,
      initial: { ...purchase.initial, phase: 'COMMITTING' },
    }).when(committed('stock'));
    const late = given({ ...purchase, initial: state }).when(replied);
    expect(late.facts).toEqual([{ fact: 'prepared', branch: 'stock', reply: '"shelf 7"' }]);
    expect(late.state.branches[0]).toMatchObject({ state: 'COMMITTED', reply: '"shelf 7"' });
    expect(late.when(replied).facts).toEqual([]);
    expect(given({ ...purchase, initial: state }).when(yes('stock')).facts).toEqual([]);
  });

  it('D6: an acknowledgement that contradicts the decision is an alarm, never a change', () => {
    const said = decided.when(cancelled('stock'));
    expect(said.state).toMatchObject({ phase: 'COMMITTING', attention: { code: 'contradiction' } });
    const aborted = given(purchase, [cancel]).when(committed('stock'));
    expect(aborted.state).toMatchObject({ phase: 'ABORTING', attention: { code: 'contradiction' } });
  });

  it('S7: what was heard before changes nothing', () => {
    const twice = given(purchase, [yes('stock')]).when(yes('stock'));
    expect(twice.facts).toEqual([]);
    expect(decided.when(committed('slot')).when(committed('slot')).facts).toEqual([]);
    expect(given(purchase, [cancel, cancelled('stock')]).when(cancelled('stock')).facts).toEqual([]);
  });

  it('says the decision again to who asks, and nothing while there is none', () => {
    const asked: SagaEvent = { type: 'decision-asked', branch: 'stock' };
    expect(names(decided.when(asked).facts)).toEqual(['decision-repeated stock']);
    expect(given(purchase).when(asked).facts).toEqual([]);
  });

  it('S6: has an operator’s attention when nobody speaks, until somebody does', () => {
    const silent = decided.when(time, 60_000);
    expect(silent.state.attention).toMatchObject({ code: 'silent' });
    expect(silent.state.attention?.text).toContain('stock (stock), money (money), slot (slots)');
    expect(silent.when(committed('slot')).state.attention).toBeNull();
    expect(wakeAt(silent.state)).toBeUndefined();
  });
});

describe('compensations and pivot', () => {
  const ready = given(returned, [yes('restock'), yes('label')]);

  it('asks the pivot alone, when all others are prepared, and the retriable after the commit', () => {
    expect(names(given(returned, [yes('restock')]).facts)).toEqual(['prepared restock']);
    expect(names(ready.facts)).toEqual(['prepared label', 'asked refund']);
    expect(names(ready.when(yes('refund')).facts)).toEqual(['prepared refund', 'committed', 'asked notice']);
  });

  it('H9: from the record that asks the pivot on, the deadline aborts no more', () => {
    const late = ready.when(time, 5_000);
    expect(names(late.facts)).toEqual(['abort-wanted', 'attention', 'cancel-asked refund']);
    expect(late.state.phase).toBe('PREPARED');
    expect(late.when(yes('refund'), 9_000).state.phase).toBe('COMMITTING');
  });

  it('H9: nor does a cancel; the pivot’s refusal does, and its word that it never ran', () => {
    const wanted = ready.when(cancel);
    expect(wanted.state.phase).toBe('PREPARED');
    expect(wanted.when(no('refund')).state.why).toMatchObject({ branch: 'refund' });
    const never = wanted.when(cancelled('refund', false));
    expect(names(never.facts)).toEqual(['branch-cancelled refund', 'aborted', 'cancel-asked label']);
    expect(never.state.why).toMatchObject({ code: 'cancelled' });
  });

  it('D4: compensates one by one, the last declared first', () => {
    const refused = ready.when(no('refund'));
    expect(names(refused.facts)).toEqual(['refused refund', 'aborted', 'cancel-asked label']);
    const next = refused.when(cancelled('label'));
    expect(names(next.facts)).toEqual(['branch-cancelled label', 'cancel-asked restock']);
    const last = next.when(cancelled('restock'));
    expect(names(last.facts)).toEqual(['branch-cancelled restock', 'ended']);
    expect(last.state.branches.map(({ state }) => state)).toEqual([
      'COMPENSATED',
      'COMPENSATED',
      'REFUSED',
      'WAITING',
    ]);
  });

  it('D4: a compensatable that has not answered yet is asked to cancel, too', () => {
    const refused = given(returned, [yes('label')]).when(no('restock'));
    expect(names(refused.facts)).toEqual(['refused restock', 'aborted', 'cancel-asked label']);
    const early = given(returned).when(no('label'));
    expect(names(early.facts)).toEqual(['refused label', 'aborted', 'cancel-asked restock']);
  });
});

describe('operators', () => {
  it('H37: force-commit needs every yes', () => {
    expect(given(purchase, [yes('stock'), yes('money')]).when({ type: 'force-commit' }).facts).toEqual([]);
    const ready = given(returned, [yes('restock'), yes('label')]);
    expect(ready.when({ type: 'force-commit' }).facts).toEqual([]);
  });

  it('says again what was not answered', () => {
    const decided = given(purchase, [yes('stock'), yes('money'), yes('slot'), committed('money')]);
    expect(names(decided.when({ type: 'retry' }).facts)).toEqual([
      'decision-repeated stock',
      'decision-repeated slot',
    ]);
    const wanted = given(returned, [yes('restock'), yes('label'), cancel]);
    expect(names(wanted.when({ type: 'retry' }).facts)).toEqual(['cancel-asked refund']);
  });

  it('asks a retriable again: the decision alone does not say what it is to do', () => {
    const decided = given(returned, [yes('restock'), yes('label'), yes('refund'), committed('restock')]);
    expect(names(decided.when({ type: 'retry' }).facts)).toEqual([
      'decision-repeated label',
      'decision-repeated refund',
      'asked notice',
    ]);
  });

  it('resolves by hand what became of a branch, as the decision says, never against it', () => {
    const decided = given(purchase, [yes('stock'), yes('money'), yes('slot')]);
    expect(decided.when(by('stock', false)).facts).toEqual([]);
    expect(names(decided.when(by('stock', true)).facts)).toEqual(['branch-committed stock']);
  });
});

describe('C3: what another replica has to conclude', () => {
  const { initial } = purchase;
  const said = (...facts: Fact[]) => purchase.evolve(initial, facts, 4_000);
  const all = said(prepared('stock'), prepared('money'), prepared('slot'));

  it('every yes commits, however late it is looked at; a last yes that was late aborts', () => {
    expect(wakeAt(all)).toBe(4_000);
    expect(names(purchase.decide(all, time, 60_000))).toEqual(['committed']);
    const late = purchase.evolve(said(prepared('stock'), prepared('money')), [prepared('slot')], 5_001);
    expect(names(purchase.decide(late, time, 60_000))).toEqual(['aborted']);
  });

  it('a refusal aborts, with its reason', () => {
    const refused = said({ fact: 'refused', branch: 'stock', code: 'sold-out', text: 'none is left' });
    expect(wakeAt(refused)).toBe(4_000);
    expect(purchase.decide(refused, time, 4_000)[0]).toMatchObject({
      fact: 'aborted',
      why: { code: 'sold-out', text: 'none is left', branch: 'stock' },
    });
  });

  it('so does a pivot that never ran, and its yes commits whenever it came', () => {
    const asked = given(returned, [yes('restock'), yes('label'), cancel]).state;
    const never = purchase.evolve(asked, [{ fact: 'branch-cancelled', branch: 'refund', ran: false }], 4_000);
    expect(names(purchase.decide(never, time, 4_000))).toEqual(['aborted', 'cancel-asked label']);
    const yesOfPivot = purchase.evolve(asked, [prepared('refund')], 9_000);
    expect(names(purchase.decide(yesOfPivot, time, 9_000))).toEqual(['committed', 'asked notice']);
  });
});
