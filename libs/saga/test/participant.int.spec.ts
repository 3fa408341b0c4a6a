import { newEventId } from '@aura/contracts';
import { ConflictError, TransientError } from '@aura/platform';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Ask, SetWork, Vote } from '../src/participant/participant.js';
import { prepared } from '../src/participant/participant.js';
import { Depot, DEPOT } from './participant-depot.js';
import {
  again,
  Hold,
  Pack,
  participantFixture,
  Rent,
  SagaOf,
  Ship,
  type ParticipantFixture,
  type Raised,
  type Wanted,
} from './participant-fixture.js';

/** The same, in sets; `setFault` is thrown by the set forms, after they wrote. */
class SetDepot extends Depot {
  setFault: Error | undefined;
  async prepareAll(asks: readonly Ask<Wanted>[], work: SetWork): Promise<Vote[]> {
    this.calls.push(`prepareAll ${asks.length}`);
    const votes: Vote[] = [];
    for (const ask of asks) votes.push(await super.prepare(ask, work.of(ask)));
    if (this.setFault) throw this.setFault;
    return votes;
  }
  async commitAll(asks: readonly Ask<Wanted>[], work: SetWork): Promise<void> {
    this.calls.push(`commitAll ${asks.length}`);
    for (const ask of asks) await super.commit(ask, work.of(ask));
    if (this.setFault) throw this.setFault;
  }
}

let depot: Depot;
let sets: SetDepot;
let service: ParticipantFixture;
beforeAll(async () => {
  depot = new Depot();
  sets = new SetDepot();
  const entries = [Hold, Rent, Pack, Ship].map((type) => ({ type, participant: depot }));
  service = await participantFixture(entries, { sql: DEPOT });
});
afterAll(() => service.close());
beforeEach(async () => {
  for (const one of [depot, sets]) {
    one.calls.length = 0;
    one.faults.clear();
  }
  sets.setFault = undefined;
  service.errors.length = 0;
  service.now = new Date();
  await service.pool.query(
    'truncate hold, aura.branch, aura.task; update stock set free = 10, held = 0, sold = 0',
  );
  await service.answers();
});

const stock = { branch: 'stock', type: Hold };
const two = { ...stock, input: { sku: 'sku-1', pieces: 2 } };
const stockOf = async (sku: string): Promise<unknown> =>
  (await service.rows('select free, held, sold from stock where sku = $1', [sku]))[0];
const short = ({ type, payload }: Raised): string =>
  [type.slice('aura.'.length), payload['code'] ?? payload['ran']]
    .filter((part) => part !== undefined)
    .join(' ');
const said = async (): Promise<string[]> => (await service.answers()).map(short);
const methods = (of: Depot = depot): string[] => of.calls.map((call) => call.split(' ')[0] ?? '');

describe('in order', () => {
  it('prepares, commits and answers, all caused by the coordinator’s events', async () => {
    const saga = new SagaOf();
    const started = saga.started(two);
    await service.deliver(started);
    const [vote, ...others] = await service.answers();
    expect(others).toEqual([]);
    expect(vote).toMatchObject({
      type: 'aura.BranchPrepared',
      key: saga.id,
      payload: { sagaId: saga.id, coordinator: 'shop', branch: 'stock', reply: '{"sku":"sku-1"}' },
      headers: { correlationid: saga.id, causationid: started.id },
    });
    expect(await stockOf('sku-1')).toEqual({ free: 8, held: 2, sold: 0 });
    await service.deliver(saga.committed(stock));
    expect(await said()).toEqual(['BranchCommitted']);
    expect(await stockOf('sku-1')).toEqual({ free: 8, held: 0, sold: 2 });
    expect(await service.states()).toEqual({ [`${saga.id}/stock`]: 'COMMITTED' });
  });

  it('gives back what an aborted saga held', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.started(two));
    await service.deliver(saga.aborted(stock));
    expect(await said()).toEqual(['BranchPrepared', 'BranchCancelled true']);
    expect(await stockOf('sku-1')).toEqual({ free: 10, held: 0, sold: 0 });
  });

  it('refuses with the participant’s words, and then has nothing to give back', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.started({ ...stock, input: { sku: 'sku-1', pieces: 11 } }));
    await service.deliver(saga.aborted(stock));
    expect(await said()).toEqual(['BranchRefused sold-out', 'BranchCancelled false']);
    expect(methods()).toEqual(['prepare']);
  });

  it('ignores branches of others, and asks for none of its own', async () => {
    const saga = new SagaOf();
    const other = { ...Hold, name: 'money.Hold', service: 'money' };
    await service.deliver(saga.started({ branch: 'money', type: other, input: two.input }));
    expect(await service.states()).toEqual({});
    expect(await said()).toEqual([]);
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
    expect(await stockOf('sku-1')).toEqual({ free: 8, held: 0, sold: 2 });
    expect((await said()).toSorted()).toEqual([
      'BranchCancelled false',
      'BranchCancelled true',
      'BranchCommitted',
      'BranchPrepared',
      'BranchPrepared',
      'BranchRefused cancelled',
    ]);
  });
});

describe('out of order', () => {
  it('B1: a cancel that comes first leaves a tombstone, and the late prepare is refused', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.aborted(stock));
    await service.deliver(saga.started(two));
    await service.deliver(saga.cancelAsked(stock));
    expect(await said()).toEqual([
      'BranchCancelled false',
      'BranchRefused cancelled',
      'BranchCancelled false',
    ]);
    expect(depot.calls).toEqual([]);
  });

  it('refuses an ask after its deadline, whatever comes later', async () => {
    const saga = new SagaOf('shop', new Date(Date.now() - 60_000));
    await service.deliver(saga.started(two));
    await service.deliver(again(saga.started(two)));
    expect(await said()).toEqual(['BranchRefused late', 'BranchRefused late']);
    expect(depot.calls).toEqual([]);
  });

  it('B4, S7: answers what was answered, byte for byte, and does nothing else', async () => {
    const [yes, no] = [new SagaOf(), new SagaOf()];
    const asks = [yes.started(two), no.started({ ...stock, input: { sku: 'sku-1', pieces: 99 } })];
    await service.deliver(...asks);
    const first = await service.answers();
    service.now = new Date(Date.now() + 3_600_000); // past the deadline, too
    await service.deliver(...asks.map(again));
    const second = await service.answers();
    const bodies = (raised: Raised[]): string[] =>
      raised.map(({ type, body }) => `${type} ${body.toString('hex')}`);
    expect(bodies(second)).toEqual(bodies(first));
    await service.deliver(yes.committed(stock));
    await service.deliver(again(yes.committed(stock)), yes.repeated(stock, 'COMMITTED'));
    expect(bodies(await service.answers()).filter((b, i, all) => b !== all[0])).toEqual([]);
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
    expect(await said()).toEqual([]);
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
    expect(await stockOf('sku-1')).toEqual({ free: 8, held: 0, sold: 2 });
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
    expect(await said()).toEqual(['BranchCancelled false', 'BranchRefused late']);
    expect(depot.calls).toEqual([]);
  });

  it('H10: what is held is never forgotten', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.started(two));
    service.now = new Date(Date.now() + 400 * 86_400_000);
    await service.participants.runOnce();
    expect(await service.states()).toEqual({ [`${saga.id}/stock`]: 'PREPARED' });
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
    expect(await said()).toEqual(['BranchCommitted', 'BranchCommitted']);
    expect(methods()).toEqual(['commit']);
    expect(service.errors).toEqual([]);
  });

  it('a compensatable branch is undone when it is asked', async () => {
    const saga = new SagaOf();
    const rent = { branch: 'rent', type: Rent };
    await service.deliver(saga.started({ ...rent, input: two.input }));
    await service.deliver(saga.cancelAsked(rent));
    expect(await said()).toEqual(['BranchPrepared', 'BranchCancelled true']);
  });

  it('B6: a pivot that ran answers a cancel with its vote', async () => {
    const saga = new SagaOf();
    const ship = { branch: 'ship', type: Ship };
    await service.deliver(saga.asked({ ...ship, input: two.input }));
    await service.deliver(saga.cancelAsked(ship));
    expect(await said()).toEqual(['BranchPrepared', 'BranchPrepared']);
    expect(methods()).toEqual(['prepare']);
  });
});

describe('failures', () => {
  const bad = new SagaOf();
  const failing = (error: Error) => (ask: Ask<Wanted>) => (ask.sagaId === bad.id ? error : undefined);

  it('a prepare that throws is a refusal of its own; what it wrote is undone, others stay', async () => {
    const good = new SagaOf();
    depot.faults.set('prepare', failing(new RangeError('a bug, with a card number')));
    await service.deliver(good.started(two), bad.started(two));
    const answers = await service.answers();
    expect(answers.map(short).toSorted()).toEqual(['BranchPrepared', 'BranchRefused failed']);
    const refusal = answers.find(({ type }) => type === 'aura.BranchRefused');
    expect(refusal?.payload['reason']).toBe('the participant failed: RangeError');
    expect(await stockOf('sku-1')).toEqual({ free: 8, held: 2, sold: 0 });
    expect(await service.rows('select saga_id from hold')).toEqual([{ saga_id: good.id }]);
  });

  it('nothing is concluded from a conflict or a passing fault', async () => {
    for (const error of [new ConflictError('again'), new TransientError('away')]) {
      depot.faults.set('prepare', failing(error));
      await expect(service.deliver(bad.started(two))).rejects.toBe(error);
    }
    expect(await service.states()).toEqual({});
  });

  it('H1: a swallowed SQL error is a failed prepare, not a yes', async () => {
    const swallow = new Depot();
    swallow.prepare = async (_ask, work) => {
      await work.manager.query('select 1 / 0').catch(() => undefined);
      return prepared();
    };
    const other = service.another({ participants: [{ type: Hold, participant: swallow }] });
    await other.deliver(new SagaOf().started(two));
    expect(await said()).toEqual(['BranchRefused failed']);
  });

  it('a reply that is too large is a failed prepare', async () => {
    const talking = new Depot();
    talking.prepare = () => Promise.resolve(prepared({ text: 'x'.repeat(5_000) }));
    const other = service.another({ participants: [{ type: Hold, participant: talking }] });
    await other.deliver(new SagaOf().started(two));
    expect(await said()).toEqual(['BranchRefused failed']);
  });

  it.each(['commit', 'cancel'] as const)(
    'a %s that throws becomes a task, and holds nobody up',
    async (phase) => {
      const good = new SagaOf();
      const told = (saga: SagaOf) => (phase === 'commit' ? saga.committed(stock) : saga.aborted(stock));
      await service.deliver(bad.started(two), good.started(two));
      await service.answers();
      depot.faults.set(phase, failing(new Error('not now')));
      await service.deliver(told(bad), told(good));
      const ack = phase === 'commit' ? 'BranchCommitted' : 'BranchCancelled true';
      const [working, done] = phase === 'commit' ? ['COMMITTING', 'COMMITTED'] : ['CANCELLING', 'CANCELLED'];
      expect(await said()).toEqual([ack]);
      expect((await service.states())[`${bad.id}/stock`]).toBe(working);
      // Told again, by a coordinator that has waited: no second task, and the other order is an alarm.
      await service.deliver(again(told(bad)));
      await service.deliver(phase === 'commit' ? bad.aborted(stock) : bad.committed(stock));
      expect(service.errors.at(-1)).toContain(`told to ${phase === 'commit' ? 'cancel' : 'commit'}`);
      expect(await service.rows('select kind from aura.task')).toEqual([{ kind: 'aura.branch-work' }]);
      for (let attempt = 0; attempt < 12; attempt++) await service.runTasks();
      expect((await service.states())[`${bad.id}/stock`]).toBe(working);
      service.now = new Date(Date.now() + 121_000);
      expect(await service.findings()).toContainEqual(
        expect.objectContaining({
          code: 'branch-work-stuck',
          subject: `saga ${bad.id}, branch stock`,
          words: expect.stringContaining('Error: not now') as unknown,
        }),
      );
      depot.faults.clear();
      await service.runTasks();
      expect(await said()).toEqual([ack]);
      expect((await service.states())[`${bad.id}/stock`]).toBe(done);
      expect(await service.rows('select kind from aura.task')).toEqual([]);
      const sold = phase === 'commit' ? 4 : 0;
      expect(await stockOf('sku-1')).toEqual({ free: 10 - sold, held: 0, sold });
    },
  );

  it('an input that can’t be read is refused; of a retriable branch it becomes a task', async () => {
    const saga = new SagaOf();
    const event = saga.started(two, { branch: 'pack', type: Pack, input: two.input });
    for (const ask of (event.payload as { asks: { input: Buffer }[] }).asks) ask.input = Buffer.from([1]);
    await service.deliver(event);
    expect(await said()).toEqual(['BranchRefused unreadable']);
    expect(await service.states()).toEqual({
      [`${saga.id}/stock`]: 'REFUSED',
      [`${saga.id}/pack`]: 'COMMITTING',
    });
  });

  it('a branch that somebody else begins at the same time is a conflict', async () => {
    const saga = new SagaOf();
    const other = service.another();
    const racing = new Depot();
    const late = service.another({ participants: [{ type: Hold, participant: racing }] });
    racing.prepare = async () => {
      await other.deliver(saga.started(two));
      return prepared();
    };
    await expect(late.deliver(saga.started(two))).rejects.toBeInstanceOf(ConflictError);
    expect(await said()).toEqual(['BranchPrepared']);
  });
});

describe('sets', () => {
  let inSets: ParticipantFixture;
  beforeAll(() => {
    inSets = service.another({ participants: [{ type: Hold, participant: sets }] });
  });

  it('asks in one call per phase, in the order of the sagas’ ids', async () => {
    const sagas = Array.from({ length: 3 }, () => new SagaOf());
    const order = [2, 0, 1].map((i) => sagas[i] as SagaOf);
    await inSets.deliver(...order.map((saga) => saga.started(two)));
    await inSets.deliver(...order.map((saga) => saga.committed(stock)));
    const byId = sagas.map(({ id }) => id).toSorted();
    expect(sets.calls).toEqual([
      'prepareAll 3',
      ...byId.map((id) => `prepare ${id}/stock`),
      'commitAll 3',
      ...byId.map((id) => `commit ${id}/stock`),
    ]);
    expect(await stockOf('sku-1')).toEqual({ free: 4, held: 0, sold: 6 });
  });

  it('tries each by itself where the set throws, and undoes what the set wrote', async () => {
    const sagas = Array.from({ length: 3 }, () => new SagaOf());
    sets.setFault = new Error('one of them');
    await inSets.deliver(...sagas.map((saga) => saga.started(two)));
    expect(await stockOf('sku-1')).toEqual({ free: 4, held: 6, sold: 0 });
    await inSets.deliver(...sagas.map((saga) => saga.committed(stock)));
    expect(await stockOf('sku-1')).toEqual({ free: 4, held: 0, sold: 6 });
    expect((await said()).filter((word) => word === 'BranchCommitted')).toHaveLength(3);
  });
});

describe('termination', () => {
  const held = async (): Promise<unknown[]> =>
    (await service.findings()).filter(({ code }) => code === 'branch-held');

  it('a yes that is not decided asks, with back-off, and hears the answer', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.started(two));
    await service.answers();
    await service.participants.runOnce();
    expect(await said()).toEqual([]);
    const begun = service.now.getTime();
    service.now = new Date(begun + 10_001);
    await service.participants.runOnce();
    const [asked, ...others] = await service.answers();
    expect(others).toEqual([]);
    expect(asked).toMatchObject({
      type: 'aura.DecisionAsked',
      payload: { sagaId: saga.id, coordinator: 'shop', branch: 'stock', heldSince: new Date(begun) },
      headers: { correlationid: saga.id },
    });
    service.now = new Date(begun + 15_000);
    await service.participants.runOnce();
    expect(await said()).toEqual([]);
    let questions = 0;
    for (let s = 16; s < 616; s++) {
      service.now = new Date(begun + s * 1_000);
      await service.participants.runOnce();
      questions += (await said()).length;
    }
    // Every 30 to 60 s once the back-off is at its bound.
    expect(questions).toBeGreaterThan(9);
    expect(questions).toBeLessThan(22);
    expect(await held()).toMatchObject([{ subject: `saga ${saga.id}, branch stock` }]);
    await service.deliver(saga.repeated(stock, 'COMMITTED'));
    service.now = new Date(begun + 1_000_000);
    await service.participants.runOnce();
    expect(await said()).toEqual(['BranchCommitted']);
    expect(await held()).toEqual([]);
  });

  it('replicas that ask at the same time ask once', async () => {
    const sagas = Array.from({ length: 20 }, () => new SagaOf());
    await service.deliver(
      ...sagas.map((saga) => saga.started({ ...two, input: { sku: 'sku-1', pieces: 0 } })),
    );
    await service.answers();
    const replicas = [service.another(), service.another(), service.another()];
    const now = new Date(Date.now() + 11_000);
    for (const replica of replicas) replica.now = now;
    await Promise.all(replicas.map((replica) => replica.participants.runOnce()));
    const asked = (await service.answers()).map(({ key }) => key);
    expect(asked.toSorted()).toEqual(sagas.map(({ id }) => id).toSorted());
  });

  it('asks at once for what an unreadable decision was about (H20)', async () => {
    const saga = new SagaOf();
    await service.deliver(saga.started(two));
    await service.answers();
    const [handler] = service.participants.handlers();
    const record = {
      topic: 'shop.events',
      type: 'aura.SagaCommitted',
      key: saga.id,
      id: newEventId(service.now),
    };
    await service.units.run(async (work) => handler?.refused?.(record, new Error('unreadable'), work));
    await service.participants.runOnce();
    expect(await said()).toEqual(['DecisionAsked']);
    // It is told, and again it can't be handled: no sooner than the back-off says.
    await service.units.run(async (work) => handler?.refused?.(record, new Error('unreadable'), work));
    await service.participants.runOnce();
    expect(await said()).toEqual([]);
    expect(service.errors).toHaveLength(2);
  });
});
