import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Depot, DEPOT } from './participant-depot.js';
import {
  again,
  participantFixture,
  Pack,
  Rent,
  SagaOf,
  Ship,
  type ParticipantFixture,
  type Raised,
} from './participant-fixture.js';
import { emptied, entriesOf, said, stock, stockOf, two } from './participant-words.js';
import { Hold } from './participant-fixture.js';

let depot: Depot;
let service: ParticipantFixture;
beforeAll(async () => {
  depot = new Depot();
  service = await participantFixture(entriesOf(depot), { sql: DEPOT });
});
afterAll(() => service.close());
beforeEach(() => emptied(service, depot));

const methods = (): string[] => depot.calls.map((call) => call.split(' ')[0] ?? '');

const bodies = (raised: Raised[]): string[] => raised.map(({ body }) => body.toString('hex'));

describe('in order', () => {
  it('prepares, commits and answers, all caused by the coordinator’s events', async () => {
    const saga = new SagaOf();
    const started = saga.started(two);
    await service.deliver(started);
    const [event, ...others] = await service.events();
    expect(others).toEqual([]);
    const vote = { sagaId: saga.id, branch: 'stock', says: 'PREPARED', reply: '{"sku":"sku-1"}' };
    expect(event).toMatchObject({
      type: 'aura.BranchesAnswered',
      key: saga.id,
      payload: { coordinator: 'shop', answers: [vote] },
      headers: { correlationid: saga.id, causationid: started.id },
    });
    expect(await stockOf(service, 'sku-1')).toEqual({ free: 8, held: 2, sold: 0 });
    await service.deliver(saga.committed(stock));
    expect(await said(service)).toEqual(['COMMITTED']);
    expect(await stockOf(service, 'sku-1')).toEqual({ free: 8, held: 0, sold: 2 });
    expect(await service.states()).toEqual({ [`${saga.id}/stock`]: 'COMMITTED' });
  });

  it('gives back what an aborted saga held', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.started(two));
    await service.deliver(saga.aborted(stock));
    expect(await said(service)).toEqual(['PREPARED', 'CANCELLED']);
    expect(await stockOf(service, 'sku-1')).toEqual({ free: 10, held: 0, sold: 0 });
  });

  it('lets wait only what nobody waits for: that a commit is done', async () => {
    const [kept, given] = [new SagaOf(), new SagaOf()];
    service.committed.length = 0;
    await service.deliver(kept.started(two), given.started(two));
    await service.deliver(kept.committed(stock));
    await service.deliver(given.aborted(stock));
    const [votes, done, back] = service.committed;
    expect(done?.withinMs).toBeGreaterThan(0);
    expect([votes?.withinMs, back?.withinMs]).toEqual([undefined, undefined]);
  });

  it('refuses with the participant’s words, and then has nothing to give back', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.started({ ...stock, input: { sku: 'sku-1', pieces: 11 } }));
    await service.deliver(saga.aborted(stock));
    expect(await said(service)).toEqual(['REFUSED sold-out', 'NEVER_RAN']);
    expect(methods()).toEqual(['prepare']);
  });

  it('ignores branches of others, and asks for none of its own', async () => {
    const saga = new SagaOf();
    const other = { ...Hold, name: 'money.Hold', service: 'money' };
    await service.deliver(saga.started({ branch: 'money', type: other, input: two.input }));
    expect(await service.states()).toEqual({});
    expect(await said(service)).toEqual([]);
  });

  it('keeps each saga’s own order within one run, while others go along', async () => {
    const [a, b, c] = [new SagaOf(), new SagaOf(), new SagaOf()];
    const runs = [a.started(two), b.started(two), a.aborted(stock), b.committed(stock), c.aborted(stock)];
    await service.deliver(...runs, c.started(two));
    expect(await service.states()).toEqual({
      [`${a.id}/stock`]: 'CANCELLED',
      [`${b.id}/stock`]: 'COMMITTED',
      [`${c.id}/stock`]: 'TOMBSTONE',
    });
    expect(await stockOf(service, 'sku-1')).toEqual({ free: 8, held: 0, sold: 2 });
    expect((await said(service)).toSorted()).toEqual([
      'CANCELLED',
      'COMMITTED',
      'NEVER_RAN',
      'PREPARED',
      'PREPARED',
      'REFUSED cancelled',
    ]);
  });
});

describe('out of order', () => {
  it('B1: a cancel that comes first leaves a tombstone, and the late prepare is refused', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.aborted(stock));
    await service.deliver(saga.started(two));
    await service.deliver(saga.cancelAsked(stock));
    expect(await said(service)).toEqual(['NEVER_RAN', 'REFUSED cancelled', 'NEVER_RAN']);
    expect(depot.calls).toEqual([]);
  });

  it('refuses an ask after its deadline, whatever comes later', async () => {
    const saga = new SagaOf('shop', new Date(Date.now() - 60_000));
    await service.deliver(saga.started(two));
    await service.deliver(again(saga.started(two)));
    expect(await said(service)).toEqual(['REFUSED late', 'REFUSED late']);
    expect(depot.calls).toEqual([]);
  });

  it('B4, S7: answers what was answered, byte for byte, and does nothing else', async () => {
    const [yes, no] = [new SagaOf(), new SagaOf()];
    const asks = [yes.started(two), no.started({ ...stock, input: { sku: 'sku-1', pieces: 99 } })];
    await service.deliver(...asks);
    const first = await service.events();
    service.now = new Date(Date.now() + 3_600_000); // past the deadline, too
    await service.deliver(...asks.map(again));
    const second = await service.events();
    expect(bodies(second)).toEqual(bodies(first));
    await service.deliver(yes.committed(stock));
    await service.deliver(again(yes.committed(stock)), yes.repeated(stock, 'COMMITTED'));
    expect(
      (await service.answers()).filter(({ answer }, _, [head]) => !isDeepStrictEqual(answer, head?.answer)),
    ).toEqual([]);
    expect(methods()).toEqual(['prepare', 'prepare', 'commit']);
  });

  it('B3: an order without a yes is an alarm, and nothing is applied', async () => {
    const [none, refusedOne, cancelled] = [new SagaOf(), new SagaOf(), new SagaOf()];
    await service.deliver(refusedOne.started({ ...stock, input: { sku: 'sku-1', pieces: 99 } }));
    await service.deliver(cancelled.aborted(stock));
    const before = await service.states();
    await service.answers();
    depot.calls.length = 0;
    for (const saga of [none, refusedOne, cancelled]) await service.deliver(saga.committed(stock));
    expect(await service.states()).toEqual(before);
    expect(await said(service)).toEqual([]);
    expect(depot.calls).toEqual([]);
    expect(service.errors).toEqual([
      expect.stringContaining('told to commit, but never prepared'),
      expect.stringContaining('told to commit, but was refused'),
      expect.stringContaining('told to commit, but was cancelled'),
    ]);
    const alarms = (await service.findings()).filter(({ severity }) => severity === 'alarm');
    expect(alarms.slice(0, 3).map(({ code }) => code)).toEqual(Array(3).fill('saga-protocol'));
  });

  it('B5: the first decision stands; another one is an alarm', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.started(two), saga.committed(stock));
    await service.deliver(saga.aborted(stock));
    expect(await stockOf(service, 'sku-1')).toEqual({ free: 8, held: 0, sold: 2 });
    expect(service.errors).toEqual([expect.stringContaining('told to cancel, but was committed')]);
  });

  it('H10: a prepare after its tombstone was forgotten is refused: its deadline has passed', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.aborted(stock));
    await service.participants.runOnce();
    expect(Object.keys(await service.states())).toHaveLength(1);
    service.now = new Date(Date.now() + 16 * 86_400_000);
    await service.participants.runOnce();
    expect(await service.states()).toEqual({});
    await service.deliver(saga.started(two));
    expect(await said(service)).toEqual(['NEVER_RAN', 'REFUSED late']);
    expect(depot.calls).toEqual([]);
  });

  it('H10: what has ended is remembered for longer than the inbox knows the events about it', async () => {
    const patient = service.another({ inboxDays: 30 });
    const saga = new SagaOf();
    await service.deliver(saga.aborted(stock));
    patient.now = new Date(Date.now() + 30 * 86_400_000);
    await patient.participants.runOnce();
    expect(Object.keys(await service.states())).toHaveLength(1);
    patient.now = new Date(Date.now() + 32 * 86_400_000);
    await patient.participants.runOnce();
    expect(await service.states()).toEqual({});
  });

  it('H10: what is held, or still to be done, is never forgotten', async () => {
    const [saga, working] = [new SagaOf(), new SagaOf()];
    await service.deliver(saga.started(two), working.started(two));
    depot.faults.set('commit', () => new Error('not now'));
    await service.deliver(working.committed(stock));
    service.now = new Date(Date.now() + 400 * 86_400_000);
    await service.participants.runOnce();
    expect(await service.states()).toEqual({
      [`${saga.id}/stock`]: 'PREPARED',
      [`${working.id}/stock`]: 'COMMITTING',
    });
  });
});

describe('H28', () => {
  it('no other service decides a saga, nor asks for a branch that is not declared for it', async () => {
    const saga = new SagaOf();
    const forged = Object.assign(new SagaOf('kiosk'), { id: saga.id });
    const stranger = new SagaOf('stranger');
    await service.deliver(saga.started(two));
    await service.deliver(forged.committed(stock), forged.repeated(stock, 'ABORTED'));
    await service.deliver(stranger.started(two));
    // A header says who, the topic says it, too: only the topic counts.
    const lie = { ...forged.committed(stock), source: 'shop' };
    await service.deliver(lie);
    expect(await service.states()).toEqual({ [`${saga.id}/stock`]: 'PREPARED' });
    expect(methods()).toEqual(['prepare']);
    expect(service.errors).toEqual([
      expect.stringContaining('kiosk spoke of a branch that shop asked for'),
      expect.stringContaining('kiosk spoke of a branch that shop asked for'),
      expect.stringContaining('stranger may not ask for depot.Hold'),
      expect.stringContaining('kiosk spoke of a branch that shop asked for'),
    ]);
  });

  it('takes its events from the topics of its coordinators only', () => {
    const topics = new Set(service.participants.subscribes.map(({ topic }) => topic));
    expect([...topics]).toEqual(['kiosk.events', 'shop.events']);
  });

  it('a branch keeps the type that it was asked as', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.started(two));
    await service.deliver(saga.committed({ branch: 'stock', type: Rent }));
    expect(await service.states()).toEqual({ [`${saga.id}/stock`]: 'PREPARED' });
    expect(service.errors).toEqual([
      expect.stringContaining('it was asked as depot.Hold, not as depot.Rent'),
    ]);
  });
});

describe('other kinds', () => {
  it('a retriable branch acts when it is asked, once, and can’t be late', async () => {
    const saga = new SagaOf('shop', new Date(Date.now() - 60_000));
    await service.pool.query('update stock set free = 8, held = 2');
    await service.pool.query(`insert into hold values ($1, 'pack', 'sku-1', 2, 'held')`, [saga.id]);
    const pack = { branch: 'pack', type: Pack, input: two.input };
    await service.deliver(saga.committed(pack)); // a decision alone does not say what to do
    await service.deliver(saga.asked(pack));
    await service.deliver(again(saga.asked(pack)));
    expect(await said(service)).toEqual(['COMMITTED', 'COMMITTED']);
    expect(methods()).toEqual(['commit']);
    expect(service.errors).toEqual([]);
  });

  it('a compensatable branch is undone when it is asked', async () => {
    const saga = new SagaOf();
    const rent = { branch: 'rent', type: Rent };
    await service.deliver(saga.started({ ...rent, input: two.input }));
    await service.deliver(saga.cancelAsked(rent));
    expect(await said(service)).toEqual(['PREPARED', 'CANCELLED']);
  });

  it('B6: a pivot that ran answers a cancel with its vote', async () => {
    const saga = new SagaOf();
    const ship = { branch: 'ship', type: Ship };
    await service.deliver(saga.asked({ ...ship, input: two.input }));
    await service.deliver(saga.cancelAsked(ship));
    expect(await said(service)).toEqual(['PREPARED', 'PREPARED']);
    expect(methods()).toEqual(['prepare']);
  });
});
