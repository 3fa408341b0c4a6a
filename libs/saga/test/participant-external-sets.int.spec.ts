/** Branches that ask outside, many at a time: what is shared, and what is each one's own. */
import type { Work } from '@aura/eventing';
import { ConflictError } from '@aura/platform';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  prepared,
  refused,
  type Accepted,
  type ExternalParticipant,
} from '../src/participant/participant.js';
import {
  Charge,
  participantFixture,
  SagaOf,
  Ship,
  type ParticipantFixture,
  type Wanted,
} from './participant-fixture.js';
import { Provider, Till } from './participant-provider.js';
import { short } from './participant-words.js';

let till: Till;
/** What `prepareAll` does in this test; undefined: there is none. */
let inSets: ExternalParticipant<Wanted>['prepareAll'];
/** The saga that `prepare` refuses. */
let refusing: string | undefined;
let service: ParticipantFixture;
const sizes: number[] = [];

beforeAll(async () => {
  const participant: ExternalParticipant<Wanted> = {
    call: (ask, call) => till.call(ask, call),
    lookUp: (ask, call) => till.lookUp(ask, call),
    release: (ask, call) => till.release(ask, call),
    prepare: async ({ sagaId }, _, work) => {
      till.calls.push('prepare');
      await work.manager.query('insert into taken values ($1)', [sagaId]);
      return sagaId === refusing ? refused('no', 'no') : prepared();
    },
    commit: () => till.commit(),
    cancel: () => till.cancel(),
    get prepareAll() {
      return inSets;
    },
  };
  const participants = [Charge, Ship].map((type) => ({ type, participant }));
  service = await participantFixture(participants, { sql: 'create table taken (saga_id uuid not null)' });
});
afterAll(() => service.close());
beforeEach(async () => {
  till = new Till(new Provider());
  inSets = undefined;
  refusing = undefined;
  sizes.length = 0;
  service.errors.length = 0;
  await service.pool.query('truncate aura.branch, aura.task, taken');
  await service.answers();
});

const asking = { branch: 'money', type: Charge };
const sagasOf = (n: number): SagaOf[] => Array.from({ length: n }, () => new SagaOf());
const deliver = (sagas: readonly SagaOf[], pieces = 5, of = asking): Promise<void> =>
  service.deliver(
    ...sagas.map((saga) => {
      const asked = { ...of, input: { sku: 'card-1', pieces } };
      return of.type === Ship ? saga.asked(asked) : saga.started(asked);
    }),
  );
const answered = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await service.answers()).map((answer) => [answer.sagaId, short(answer)]));
const transactions = async (): Promise<number> =>
  (await service.rows('select distinct xmin::text from aura.branch')).length;
const taken = () => service.rows('select distinct saga_id from taken');

/** Writes a row of each; counts them. */
async function takeAll(all: readonly Accepted<Wanted>[], work: Pick<Work, 'manager'>) {
  sizes.push(all.length);
  await work.manager.query('insert into taken select unnest($1::uuid[])', [all.map(({ ask }) => ask.sagaId)]);
  return all.map(() => prepared());
}

it('those answered together are taken together: one transaction, a vote for each', async () => {
  inSets = takeAll;
  const sagas = sagasOf(20);
  await deliver(sagas);
  await service.runTasks();
  expect([sizes, await transactions(), (await taken()).length]).toEqual([[20], 1, 20]);
  expect(await answered()).toEqual(Object.fromEntries(sagas.map(({ id }) => [id, 'PREPARED'])));
  expect(till.calls).toEqual(Array(20).fill('call'));
});

it('without a set form each is taken by itself, in the same transaction', async () => {
  const sagas = sagasOf(5);
  await deliver(sagas);
  await service.runTasks();
  expect([await transactions(), (await taken()).length]).toEqual([1, 5]);
  expect(till.calls.filter((call) => call === 'prepare')).toHaveLength(5);
});

it('one that is declined is refused, those beside it are prepared', async () => {
  inSets = takeAll;
  const [poor, ...rich] = sagasOf(4) as [SagaOf, ...SagaOf[]];
  await deliver([poor], 11);
  await deliver(rich);
  await service.runTasks();
  expect(await answered()).toEqual({
    [poor.id]: 'REFUSED declined',
    ...Object.fromEntries(rich.map(({ id }) => [id, 'PREPARED'])),
  });
  expect(sizes).toEqual([3]);
});

it('where the set form throws, what it wrote is undone and each is tried by itself', async () => {
  inSets = async (all, work) => {
    await takeAll(all, work);
    throw new Error('one of them is odd');
  };
  const sagas = sagasOf(3);
  await deliver(sagas);
  await service.runTasks();
  expect((await service.rows('select from taken')).length).toBe(3);
  expect(await answered()).toEqual(Object.fromEntries(sagas.map(({ id }) => [id, 'PREPARED'])));
});

it('a set form that answers for too few is not believed', async () => {
  inSets = async (all, work) => (await takeAll(all, work)).slice(1);
  await deliver(sagasOf(3));
  await service.runTasks();
  expect(till.calls.filter((call) => call === 'prepare')).toHaveLength(3);
  expect((await service.rows('select from taken')).length).toBe(3);
});

it('of what passes nothing is concluded: the calls are looked up, and taken then', async () => {
  inSets = () => Promise.reject(new ConflictError('somebody else was faster'));
  const sagas = sagasOf(2);
  await deliver(sagas);
  await service.runTasks();
  expect([await answered(), await taken()]).toEqual([{}, []]);
  inSets = takeAll;
  await service.runTasks();
  expect(await answered()).toEqual(Object.fromEntries(sagas.map(({ id }) => [id, 'PREPARED'])));
  expect(till.provider.requests).toBe(2);
});

it('an answer that is too large refuses its own branch only, and is given back', async () => {
  const [large, small] = sagasOf(2) as [SagaOf, SagaOf];
  const call = till.call.bind(till);
  till.call = async (ask, how) => {
    const answer = await call(ask, how);
    return ask.sagaId === large.id ? { accepted: true, data: { long: 'x'.repeat(5_000) } } : answer;
  };
  inSets = takeAll;
  await deliver([large, small]);
  await service.runTasks();
  expect(await answered()).toEqual({ [large.id]: 'REFUSED failed', [small.id]: 'PREPARED' });
  expect((await service.states())[`${large.id}/money`]).toBe('RELEASING');
});

it('B6: a pivot that can’t be written down waits, and those beside it do not', async () => {
  const sagas = sagasOf(3);
  const [stuck] = sagas as [SagaOf, ...SagaOf[]];
  const pivot = { branch: 'money', type: Ship };
  refusing = stuck.id;
  await deliver(sagas, 5, pivot);
  await service.runTasks();
  const [, ...others] = sagas;
  expect(await answered()).toEqual(Object.fromEntries(others.map(({ id }) => [id, 'PREPARED'])));
  expect((await service.states())[`${stuck.id}/money`]).toBe('CALLING');
  expect((await taken()).length).toBe(2);
  refusing = undefined;
  await service.runTasks();
  expect(await answered()).toEqual({ [stuck.id]: 'PREPARED' });
});

it('those that are given back together end in one transaction, each with its answer', async () => {
  const sagas = sagasOf(6);
  await deliver(sagas);
  await service.runTasks();
  await service.answers();
  await service.deliver(...sagas.map((saga) => saga.aborted(asking)));
  await service.runTasks();
  expect(await answered()).toEqual(Object.fromEntries(sagas.map(({ id }) => [id, 'CANCELLED'])));
  expect(await transactions()).toBe(1);
  expect(new Set(Object.values(await service.states()))).toEqual(new Set(['CANCELLED']));
});
