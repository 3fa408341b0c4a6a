import { ConflictError, TransientError } from '@aura/platform';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { prepared, type Ask, type SetWork, type Vote } from '../src/participant/participant.js';
import { Depot, DEPOT } from './participant-depot.js';
import {
  again,
  Hold,
  Pack,
  participantFixture,
  SagaOf,
  type ParticipantFixture,
  type Wanted,
} from './participant-fixture.js';
import { emptied, entriesOf, said, short, stock, stockOf, two } from './participant-words.js';

/** The same, in sets; `setFault` is thrown by the set forms, after they wrote. */
class SetDepot extends Depot {
  setFault: Error | undefined;
  lockAll(asks: readonly Ask<Wanted>[]): Promise<void> {
    this.calls.push(`lockAll ${asks.length}`);
    return Promise.resolve();
  }
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
let service: ParticipantFixture;
beforeAll(async () => {
  depot = new Depot();
  service = await participantFixture(entriesOf(depot), { sql: DEPOT });
});
afterAll(() => service.close());
beforeEach(() => emptied(service, depot));

const bad = new SagaOf();
const failing = (error: Error) => (ask: Ask<Wanted>) => (ask.sagaId === bad.id ? error : undefined);

it('a prepare that throws is a refusal of its own; what it wrote is undone, others stay', async () => {
  const good = new SagaOf();
  depot.faults.set('prepare', failing(new RangeError('a bug, with a card number')));
  await service.deliver(good.started(two), bad.started(two));
  const answers = await service.answers();
  expect(answers.map(short).toSorted()).toEqual(['PREPARED', 'REFUSED failed']);
  const refusal = answers.find(({ says }) => says === 'REFUSED');
  expect(refusal?.answer['reason']).toBe('the participant failed: RangeError');
  expect(await stockOf(service, 'sku-1')).toEqual({ free: 8, held: 2, sold: 0 });
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
  expect(await said(service)).toEqual(['REFUSED failed']);
});

it('a reply that is too large is a failed prepare', async () => {
  const talking = new Depot();
  talking.prepare = () => Promise.resolve(prepared({ text: 'x'.repeat(5_000) }));
  const other = service.another({ participants: [{ type: Hold, participant: talking }] });
  await other.deliver(new SagaOf().started(two));
  expect(await said(service)).toEqual(['REFUSED failed']);
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
    const ack = phase === 'commit' ? 'COMMITTED' : 'CANCELLED';
    const [working, done] = phase === 'commit' ? ['COMMITTING', 'COMMITTED'] : ['CANCELLING', 'CANCELLED'];
    expect(await said(service)).toEqual([ack]);
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
    expect(await said(service)).toEqual([ack]);
    expect((await service.states())[`${bad.id}/stock`]).toBe(done);
    expect(await service.rows('select kind from aura.task')).toEqual([]);
    const sold = phase === 'commit' ? 4 : 0;
    expect(await stockOf(service, 'sku-1')).toEqual({ free: 10 - sold, held: 0, sold });
  },
);

it('an input that can’t be read is refused; of a retriable branch it becomes a task', async () => {
  const saga = new SagaOf();
  const event = saga.started(two, { branch: 'pack', type: Pack, input: two.input });
  for (const ask of (event.payload as { asks: { input: Buffer }[] }).asks) ask.input = Buffer.from([1]);
  await service.deliver(event);
  expect(await said(service)).toEqual(['REFUSED unreadable']);
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
  expect(await said(service)).toEqual(['PREPARED']);
});

describe('sets', () => {
  let sets: SetDepot;
  let inSets: ParticipantFixture;
  beforeEach(() => {
    sets = new SetDepot();
    inSets = service.another({ participants: [{ type: Hold, participant: sets }] });
  });

  it('asks in one call per phase, in the order of the sagas’ ids', async () => {
    const sagas = Array.from({ length: 3 }, () => new SagaOf());
    const order = [2, 0, 1].map((i) => sagas[i] as SagaOf);
    await inSets.deliver(...order.map((saga) => saga.started(two)));
    await inSets.deliver(...order.map((saga) => saga.committed(stock)));
    const byId = sagas.map(({ id }) => id).toSorted();
    expect(sets.calls).toEqual([
      'lockAll 3',
      'prepareAll 3',
      ...byId.map((id) => `prepare ${id}/stock`),
      'lockAll 3',
      'commitAll 3',
      ...byId.map((id) => `commit ${id}/stock`),
    ]);
    expect(await stockOf(service, 'sku-1')).toEqual({ free: 4, held: 0, sold: 6 });
  });

  it('H18: locks once for all phases of a unit, before anything is called', async () => {
    const [old, fresh] = [new SagaOf(), new SagaOf()];
    await inSets.deliver(old.started(two));
    sets.calls.length = 0;
    await inSets.deliver(old.committed(stock), fresh.started(two));
    expect(sets.calls.filter((call) => call.includes('All'))).toEqual([
      'lockAll 2',
      'commitAll 1',
      'prepareAll 1',
    ]);
  });

  it('nothing of a set is raised without saying for which ask', async () => {
    const careless = new SetDepot();
    careless.prepareAll = (_asks, work) => {
      work.schedule({ kind: 'any', key: 'any', payload: {} });
      return Promise.resolve([prepared()]);
    };
    const other = service.another({ participants: [{ type: Hold, participant: careless }] });
    await other.deliver(new SagaOf().started(two));
    // Each by itself, then.
    expect(await said(service)).toEqual(['PREPARED']);
    expect(await service.rows('select from aura.task')).toEqual([]);
  });

  it('tries each by itself where the set throws, and undoes what the set wrote', async () => {
    const sagas = Array.from({ length: 3 }, () => new SagaOf());
    sets.setFault = new Error('one of them');
    await inSets.deliver(...sagas.map((saga) => saga.started(two)));
    expect(await stockOf(service, 'sku-1')).toEqual({ free: 4, held: 6, sold: 0 });
    await inSets.deliver(...sagas.map((saga) => saga.committed(stock)));
    expect(await stockOf(service, 'sku-1')).toEqual({ free: 4, held: 0, sold: 6 });
    expect((await said(service)).filter((word) => word === 'COMMITTED')).toHaveLength(3);
  });
});
