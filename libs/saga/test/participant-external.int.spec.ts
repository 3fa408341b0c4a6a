import type { SetTaskHandler, Task } from '@aura/eventing';
import { seeded, type Seeded } from '@aura/testing';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { prepared, refused, type ExternalParticipant } from '../src/participant/participant.js';
import {
  again,
  Charge,
  participantFixture,
  SagaOf,
  Ship,
  type ParticipantFixture,
  type Wanted,
} from './participant-fixture.js';
import { ARRIVES_WITHIN_MS, Provider, REMEMBERS_MS, Till, type Fault } from './participant-provider.js';
import { short } from './participant-words.js';

let provider: Provider;
let till: Till;
let service: ParticipantFixture;
beforeAll(async () => {
  const current: ExternalParticipant<Wanted> = {
    limits: { callTimeoutMs: 5_000, arrivalLimitMs: ARRIVES_WITHIN_MS, keyTtlMs: REMEMBERS_MS },
    call: (ask, call) => till.call(ask, call),
    lookUp: (ask, call) => till.lookUp(ask, call),
    release: (ask, call) => till.release(ask, call),
    prepare: () => till.prepare(),
    commit: () => till.commit(),
    cancel: () => till.cancel(),
  };
  service = await participantFixture([Charge, Ship].map((type) => ({ type, participant: current })));
});
afterAll(() => service.close());
beforeEach(async () => {
  provider = new Provider();
  till = new Till(provider);
  service.now = new Date();
  provider.now = service.now.getTime();
  service.errors.length = 0;
  await service.pool.query('truncate aura.branch, aura.task');
  await service.answers();
});

const money = { branch: 'money', type: Charge };
const five = { ...money, input: { sku: 'card-1', pieces: 5 } };
const keyOf = (saga: SagaOf): string => `${saga.id}/money`;
const stateOf = async (saga: SagaOf): Promise<string | undefined> => (await service.states())[keyOf(saga)];
const said = async (): Promise<string[]> => (await service.answers()).map(short);
const pass = (ms: number): void => {
  provider.pass(ms);
  service.now = new Date(provider.now);
};

/** One attempt at the one task that there is. `dies`: its process ends before its ending is committed. */
async function attempt({ fault, dies = false }: { fault?: Fault; dies?: boolean } = {}): Promise<boolean> {
  const [task] = await service.rows<Task>('select id, kind, key, payload from aura.task');
  if (!task) return false;
  till.fault = fault;
  const handler = service.participants.tasks().find(({ kind }) => kind === task.kind) as SetTaskHandler;
  try {
    const result = await handler.run({ ...task, attempt: 1 }, new AbortController().signal);
    if (dies) return true;
    const cause = {
      kind: 'task',
      taskId: task.id,
      correlationId: undefined,
      causationId: undefined,
      trace: {},
    };
    await service.units.run(async (work) => {
      await work.manager.query('delete from aura.task where id = $1', [task.id]);
      await handler.endAll([{ task, result, work, within: (fn) => fn() }], work);
    }, cause as never);
  } catch {
    // As a task runner takes it: it is tried again.
  } finally {
    till.fault = undefined;
  }
  return true;
}

/** All goes well from here on, and time goes by. */
async function drained(): Promise<void> {
  for (let i = 0; (await attempt()) && i < 100; i++) pass(60_000);
  expect(await service.rows('select kind, key from aura.task')).toEqual([]);
}

it('asks outside in a task, votes when the answer is there, and commits', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.started(five));
  expect(await stateOf(saga)).toBe('CALLING');
  expect(await said()).toEqual([]);
  await service.runTasks();
  expect(await said()).toEqual(['PREPARED']);
  expect(await service.rows('select outside from aura.branch')).toEqual([
    { outside: { authorisation: 'a-1' } },
  ]);
  await service.deliver(saga.committed(money));
  expect(await said()).toEqual(['COMMITTED']);
  expect(till.calls).toEqual(['call', 'prepare', 'commit']);
});

it('refuses what is declined outside', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.started({ ...money, input: { sku: 'card-1', pieces: 11 } }));
  await attempt();
  await service.deliver(again(saga.started(five)), saga.aborted(money));
  expect(await said()).toEqual(['REFUSED declined', 'REFUSED declined', 'NEVER_RAN']);
  expect(await service.rows('select from aura.task')).toEqual([]);
});

it('gives back what was accepted outside and refused here', async () => {
  const saga = new SagaOf();
  till.vote = refused('blocked', 'the account is blocked');
  await service.deliver(saga.started(five));
  await attempt();
  expect(await said()).toEqual(['REFUSED blocked']);
  await service.deliver(saga.aborted(money)); // the answer is on its way
  await attempt({ fault: 'no-release' });
  expect(await said()).toEqual([]);
  await drained();
  expect(await said()).toEqual(['NEVER_RAN']);
  expect(await stateOf(saga)).toBe('REFUSED');
  expect(provider.stateOf(keyOf(saga))).toBe('voided');
});

it('gives back outside what was cancelled after its yes, and says so only then', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.started(five));
  await attempt();
  await service.deliver(saga.aborted(money));
  expect(await stateOf(saga)).toBe('RELEASING');
  await attempt({ fault: 'lost-release' });
  await attempt({ dies: true });
  expect(await said()).toEqual(['PREPARED']);
  await drained();
  expect(await said()).toEqual(['CANCELLED']);
  expect(till.calls).toEqual(['call', 'prepare', 'cancel', 'release', 'release', 'release']);
  expect(provider.broken).toEqual([]);
});

it('an outcome that is unknown is looked up before anything else is done', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.started(five));
  await attempt({ fault: 'lost-answer' });
  expect(await said()).toEqual([]);
  await attempt({ fault: 'no-look-up' });
  await attempt();
  expect(await said()).toEqual(['PREPARED']);
  expect(till.calls).toEqual(['call', 'look-up', 'look-up', 'prepare']);
  expect(provider.requests).toBe(1);
});

it('a call that did not arrive is made again with its key, until the deadline; then it is over', async () => {
  const saga = new SagaOf('shop', new Date(provider.now + 20_000));
  await service.deliver(saga.started(five));
  await attempt({ fault: 'lost-call' });
  pass(10_000);
  await attempt({ fault: 'lost-call' });
  expect(till.calls).toEqual(['call', 'look-up', 'call']);
  pass(20_000);
  await attempt();
  expect(await stateOf(saga)).toBe('CALLING'); // it may still arrive
  pass(ARRIVES_WITHIN_MS);
  await attempt();
  expect(await said()).toEqual(['REFUSED unreachable']);
  expect(till.calls.filter((call) => call === 'call')).toHaveLength(2);
});

it('no call is made again once they may have forgotten its key', async () => {
  const saga = new SagaOf('shop', new Date(provider.now + 10 * REMEMBERS_MS));
  await service.deliver(saga.started(five));
  await attempt({ fault: 'lost-call' });
  pass(REMEMBERS_MS - 1);
  await attempt({ fault: 'lost-call' });
  pass(1);
  await attempt();
  pass(ARRIVES_WITHIN_MS);
  await attempt();
  expect(till.calls).toEqual(['call', 'look-up', 'call', 'look-up', 'look-up']);
  expect(await said()).toEqual(['REFUSED unreachable']);
});

it('a call that does not end in time is unknown', async () => {
  const saga = new SagaOf();
  const silent: ExternalParticipant<Wanted> & Till = Object.assign(new Till(provider), {
    limits: { callTimeoutMs: 20 },
  });
  silent.call = () => new Promise(() => undefined);
  const other = service.another({ participants: [{ type: Charge, participant: silent }] });
  await other.deliver(saga.started(five));
  await other.runTasks();
  expect(await stateOf(saga)).toBe('CALLING');
  await other.runTasks();
  expect(silent.calls).toEqual(['look-up']);
});

it('H16: a cancel before the call was made is a tombstone, and no call is made', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.started(five), saga.aborted(money));
  expect(await stateOf(saga)).toBe('STOPPING');
  await attempt();
  expect(await said()).toEqual(['NEVER_RAN']);
  expect(await stateOf(saga)).toBe('TOMBSTONE');
  expect(till.calls).toEqual([]);
});

it('H16: told to stop between the look and the call, it does not call', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.started(five));
  await attempt({ fault: 'lost-call' });
  const lookUp = till.lookUp.bind(till);
  till.lookUp = async (ask, call) => {
    const found = await lookUp(ask, call);
    if ((await stateOf(saga)) === 'CALLING') await service.deliver(saga.aborted(money));
    return found;
  };
  await attempt();
  expect(till.calls).toEqual(['call', 'look-up', 'look-up']);
  pass(2 * ARRIVES_WITHIN_MS);
  await drained();
  expect(await said()).toEqual(['NEVER_RAN']);
  expect(provider.requests).toBe(0);
});

it('H16: a void never overtakes its authorisation, however late that arrives', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.started(five));
  await attempt({ fault: 'late-call' });
  await service.deliver(saga.aborted(money));
  await service.deliver(again(saga.started(five))); // and a late ask meets it
  expect(await said()).toEqual(['REFUSED cancelled']);
  for (let i = 0; i < 4; i++) {
    await attempt();
    expect(await stateOf(saga)).toBe('STOPPING');
    pass(60_000);
  }
  pass(60_000);
  await drained();
  expect(till.calls.filter((call) => call === 'call')).toEqual(['call']);
  expect(provider.broken).toEqual([]);
  expect(provider.stateOf(keyOf(saga))).toBe('voided');
  expect(await said()).toEqual(['NEVER_RAN']);
});

const pivot = { branch: 'money', type: Ship };

it('B6: a pivot that is told not to run while it calls answers with its vote, once known', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.asked({ ...pivot, input: five.input }));
  await attempt({ fault: 'lost-answer' });
  await service.deliver(saga.cancelAsked(pivot), again(saga.asked({ ...pivot, input: five.input })));
  expect([await said(), await stateOf(saga)]).toEqual([[], 'CALLING']);
  await drained();
  await service.deliver(again(saga.cancelAsked(pivot)));
  expect(await said()).toEqual(['PREPARED', 'PREPARED']);
  await service.deliver(saga.committed(pivot));
  expect([await said(), provider.stateOf(keyOf(saga))]).toEqual([['COMMITTED'], 'held']);
  expect(till.calls).toEqual(['call', 'look-up', 'prepare', 'commit']);
});

it('a pivot that is declined outside refuses', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.asked({ ...pivot, input: { sku: 'card-1', pieces: 11 } }));
  await attempt();
  await service.deliver(saga.cancelAsked(pivot));
  expect(await said()).toEqual(['REFUSED declined', 'NEVER_RAN']);
});

it('B6: a pivot done outside is not given back when it can’t be written down: it waits', async () => {
  const saga = new SagaOf();
  await service.deliver(saga.asked({ ...pivot, input: five.input }));
  till.vote = refused('blocked', 'the account is blocked');
  await attempt();
  expect([await said(), await stateOf(saga)]).toEqual([[], 'CALLING']);
  till.vote = prepared();
  await drained();
  expect(await said()).toEqual(['PREPARED']);
  expect(till.calls).toEqual(['call', 'prepare', 'look-up', 'prepare']);
});

const FAULTS: readonly Fault[] = [
  'lost-call',
  'late-call',
  'lost-answer',
  'no-look-up',
  'no-release',
  'lost-release',
];

/** One saga among crashes, lost calls and late ones; what must hold when all has come to its end. */
async function history(random: Seeded): Promise<void> {
  const saga = new SagaOf('shop', new Date(provider.now + random.int(200_000)));
  till.vote = random.chance(0.2) ? refused('blocked', 'no') : prepared();
  const asked = { ...five, input: { sku: 'card-1', pieces: random.chance(0.1) ? 11 : 5 } };
  await service.deliver(saga.started(asked));
  let decided: 'commit' | 'abort' | undefined;
  const steps = 3 + random.int(8);
  for (let i = 0; i < steps; i++) {
    const isPrepared = (await stateOf(saga)) === 'PREPARED';
    if (!decided && random.chance(0.25)) {
      decided = isPrepared && random.chance(0.5) ? 'commit' : 'abort';
      await service.deliver(decided === 'commit' ? saga.committed(money) : saga.aborted(money));
    } else if (random.chance(0.1)) await service.deliver(again(saga.started(asked)));
    else {
      const fault = random.chance(0.6) ? { fault: random.pick(FAULTS) } : {};
      await attempt({ ...fault, dies: random.chance(0.3) });
    }
    pass(random.int(100_000));
  }
  await drained();
  if (!decided) {
    const isPrepared = (await stateOf(saga)) === 'PREPARED';
    decided = isPrepared ? 'commit' : 'abort';
    await service.deliver(isPrepared ? saga.committed(money) : saga.aborted(money));
    await drained();
  }
  pass(2 * ARRIVES_WITHIN_MS);
  expect(provider.broken).toEqual([]);
  const held = provider.stateOf(keyOf(saga));
  if (decided === 'commit') expect(held).toBe('held');
  else expect(held).not.toBe('held');
  expect(await stateOf(saga)).toBeOneOf(decided === 'commit' ? ['COMMITTED'] : ENDS);
}

const ENDS = ['CANCELLED', 'TOMBSTONE', 'REFUSED'];

it('H16: whatever is lost, late or dies, nothing stays held that was not committed', async () => {
  const random = seeded('external branches');
  for (let i = 0; i < 60; i++) await history(random);
  expect(service.errors).toEqual([]);
}, 60_000);
