import { newEventId, type EventEnvelope } from '@aura/contracts';
import { describe, expect, it } from 'vitest';
import { MoneyHeld, Noticed, Refunded, Restocked, StockHeld, type Wanted } from '../../test/branches.js';
import { saga, type Saga } from '../definition.js';
import * as protocol from '../generated/protocol.js';
import { begunAgain, factsOf, type SaidByUs } from './amnesia-fold.js';
import { decide } from './decide.js';
import { evolve, type SagaState } from './saga-state.js';

const input = (wanted: Wanted): Wanted => wanted;
const definition = saga<Wanted>('return', 1)
  .branch('restock', Restocked, input)
  .branch('refund', Refunded, input)
  .branch('notice', Noticed, input);
const ordered = saga<Wanted>('purchase', 1)
  .branch('stock', StockHeld, input)
  .branch('money', MoneyHeld, input, { after: ['stock'] });
const definitions = new Map([definition, ordered].map((each) => [each.label, each]));
const sagaId = newEventId(new Date(1_000_000));
const deadline = new Date(1_005_000);

const said = (
  type: { name: string },
  payload: object,
): Pick<EventEnvelope<SaidByUs>, 'type' | 'payload' | 'headers'> => ({
  type: type.name,
  payload: { sagaId, ...payload },
  headers: { traceparent: '00-aa-bb-01' },
});
const started = (of: Saga<Wanted>, version = of.version) => {
  const [{ name: branch, type }] = of.branches as unknown as [{ name: string; type: { name: string } }];
  const asks = [{ branch, branchType: type.name, inputSchema: '0', input: Buffer.alloc(0) }];
  return said(protocol.SagaStarted, { sagaType: of.type, sagaVersion: version, deadline, asks });
};
const committed = (...names: string[]) =>
  said(protocol.SagaCommitted, { branches: names.map((name) => ({ name, branchType: `stock.${name}` })) });
const aborted = said(protocol.SagaAborted, { branches: [], code: 'deadline', reason: 'too late' });
const askedPivot = said(protocol.BranchAsked, { ask: { branch: 'refund' } });
const cancelAsked = said(protocol.BranchCancelAsked, { branch: 'restock' });

function stateAfter(of: Saga<Wanted>, ...more: ReturnType<typeof said>[]): SagaState {
  const begun = begunAgain(started(of), definitions, 2_000_000)?.state as SagaState;
  return more.reduce((state, event) => evolve(state, factsOf(state, event), 2_000_000), begun);
}
const recalled = (state: SagaState, ...lost: string[]) =>
  decide(state, { type: 'recalled', lost }, 2_000_000);

describe('H11: what a coordinator said is what it knows again', () => {
  it('a start makes the saga as it was defined, with its own deadline and trace', () => {
    const begun = begunAgain(started(definition), definitions, 2_000_000);
    expect(begun).toMatchObject({
      id: sagaId,
      type: 'return',
      version: 1,
      trace: { traceparent: '00-aa-bb-01' },
    });
    expect(begun?.state).toMatchObject({ phase: 'PREPARING', deadline: deadline.getTime() });
    expect(begun?.state.branches.map(({ state }) => state)).toEqual(['ASKED', 'WAITING', 'WAITING']);
  });

  it('a version that is not declared is made of what was asked', () => {
    const begun = begunAgain(started(definition, 2), definitions, 2_000_000);
    expect(begun?.state.branches).toMatchObject([
      { name: 'restock', owner: 'stock', kind: 'compensatable', state: 'ASKED' },
    ]);
  });

  it('a decision alone is enough to keep it; an ask alone says nothing', () => {
    const begun = begunAgain(committed('shoes'), definitions, 2_000_000);
    expect(begun).toMatchObject({
      type: 'unknown',
      state: { branches: [{ owner: 'stock', state: 'PREPARED' }] },
    });
    expect(begunAgain(askedPivot, definitions, 2_000_000)).toBeUndefined();
  });

  it('asks, decisions and compensations are folded once', () => {
    const state = stateAfter(definition, askedPivot, aborted, cancelAsked);
    expect(state).toMatchObject({ phase: 'ABORTING', why: { code: 'deadline', text: 'too late' } });
    expect(state.branches.map(({ state: is, cancelAsked: told }) => [is, told])).toEqual([
      ['ASKED', true],
      ['ASKED', false],
      ['WAITING', false],
    ]);
    for (const event of [askedPivot, aborted, cancelAsked]) expect(factsOf(state, event)).toEqual([]);
  });

  it('a decision against the one that the database has is an alarm, never a change', () => {
    const state = stateAfter(definition, committed());
    expect(factsOf(state, aborted)).toMatchObject([{ fact: 'attention', reason: { code: 'contradiction' } }]);
    expect(factsOf(stateAfter(definition, aborted), committed())).toHaveLength(1);
  });
});

describe('A3: what follows when all is folded', () => {
  it('a commit asks its retriable, or says that it can not', () => {
    const state = stateAfter(definition, askedPivot, committed());
    expect(recalled(state)).toEqual([{ fact: 'asked', branch: 'notice' }]);
    expect(recalled(state, 'notice')).toMatchObject([{ fact: 'attention', reason: { code: 'forgotten' } }]);
  });

  it('a vote that comes again fills in its reply', () => {
    const state = stateAfter(definition, askedPivot, committed());
    const vote = { type: 'prepared', branch: 'refund', reply: '{"n":1}' } as const;
    expect(decide(state, vote, 2_000_000)).toEqual([
      { fact: 'prepared', branch: 'refund', reply: '{"n":1}' },
    ]);
  });

  it('an abort goes on with its next compensation', () => {
    expect(recalled(stateAfter(definition, aborted))).toEqual([{ fact: 'cancel-asked', branch: 'restock' }]);
    expect(recalled(stateAfter(definition, aborted, cancelAsked))).toEqual([]);
  });

  it('what can not be asked any more is aborted, but for a pivot that was asked', () => {
    const [fact] = recalled(stateAfter(ordered), 'money');
    expect(fact).toMatchObject({ fact: 'aborted', why: { code: 'forgotten', branch: 'money' } });
    expect(recalled(stateAfter(ordered))).toEqual([]);
    expect(recalled(stateAfter(definition, askedPivot), 'notice')).toEqual([]);
  });
});
