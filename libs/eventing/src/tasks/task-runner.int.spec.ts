import { silentLogger, TerminalError } from '@aura/platform';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Counted, serviceFixture, type ServiceFixture } from '../../test/service-fixture.js';
import type { Task, TaskHandler } from './task.js';
import { UnitsOfWork } from '../unit-of-work/units-of-work.js';
import { TaskRunner } from './task-runner.js';
import { nextDueMs, renewLeases } from './task-store.js';

let service: ServiceFixture;
beforeAll(async () => {
  service = await serviceFixture({
    sql: 'create table effect (task_id uuid not null, who text not null)',
  });
});
afterAll(() => service.close());
beforeEach(() => service.pool.query('truncate aura.task, aura.outbox, effect'));

const runner = (handlers: TaskHandler[], leaseMs = 60_000): TaskRunner =>
  new TaskRunner({
    handlers,
    units: service.units.context,
    pool: service.pool,
    logger: silentLogger,
    leaseMs,
  });

const schedule = (kind: string, options: { dueAt?: Date } = {}): Promise<string> =>
  service.units.run(async (work) => work.schedule({ kind, key: 'k', payload: { n: 1 }, ...options }).id);

const effects = async (): Promise<string[]> =>
  (await service.rows<{ who: string }>('select who from effect order by who')).map((row) => row.who);
const rows = (): Promise<
  { id: string; state: string; attempt: number; error: { message: string } | null }[]
> => service.rows('select id, state, attempt, error from aura.task');

/** Writes its name when it ends, so that every effect of every attempt is seen. */
function effectOf(who: string, run: (task: Task, signal: AbortSignal) => Promise<void>): TaskHandler {
  return {
    kind: 'work',
    initialBackoffMs: 1,
    maxBackoffMs: 1,
    run: async (task, signal) => {
      await run(task, signal);
      return async (work) => {
        await work.manager.query('insert into effect values ($1, $2)', [task.id, who]);
        work.raise(Counted.of({ key: who, n: 1 }));
      };
    },
  };
}

const tenAtOnce = (who: string): TaskHandler => ({
  ...effectOf(who, async () => undefined),
  concurrency: 10,
});

function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** A runner with one task in hand, which ends when it is told to. */
function held(who: string): {
  tasks: TaskRunner;
  started: Promise<void>;
  end: () => void;
  run: Promise<void>;
} {
  const [started, end] = [gate(), gate()];
  const tasks = runner([effectOf(who, () => (started.open(), end.opened))]);
  return { tasks, started: started.opened, end: end.open, run: tasks.runOnce() };
}

it('a task ends once: its row, its event and its own end are one transaction', async () => {
  await schedule('work');
  await runner([effectOf('a', async () => undefined)]).runOnce();
  expect(await effects()).toEqual(['a']);
  expect(await rows()).toEqual([]);
  expect(await service.rows('select key from aura.outbox')).toEqual([{ key: 'a' }]);
});

it('a task whose unit was rolled back does not run', async () => {
  const failed = service.units.run(async (work) => {
    work.schedule({ kind: 'work', key: 'k', payload: {} });
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  await runner([effectOf('a', async () => undefined)]).runOnce();
  expect(await effects()).toEqual([]);
});

it('T1: two replicas claim different tasks', async () => {
  await service.units.run(async (work) => {
    for (let n = 0; n < 20; n++) work.schedule({ kind: 'work', key: String(n), payload: {} });
  });
  await Promise.all([runner([tenAtOnce('a')]).runOnce(), runner([tenAtOnce('b')]).runOnce()]);
  expect(await effects()).toHaveLength(20);
  expect(await rows()).toEqual([]);
});

it('T1: a dead owner’s task goes to another when its lease has run out, as the next attempt', async () => {
  await schedule('work');
  await service.pool.query(
    `update aura.task set attempt = 1, lease_until = clock_timestamp() + interval '1 hour'`,
  );
  const attempts: number[] = [];
  const other = runner([effectOf('b', async ({ attempt }) => void attempts.push(attempt))]);
  await other.runOnce();
  expect(await effects()).toEqual([]);
  await service.pool.query(`update aura.task set lease_until = clock_timestamp() - interval '1 ms'`);
  await other.runOnce();
  expect([await effects(), attempts]).toEqual([['b'], [2]]);
});

it('T2: a late owner’s ending is rolled back whole: its rows and events with it', async () => {
  await schedule('work');
  const late = held('late');
  await late.started;
  await service.pool.query(`update aura.task set lease_until = clock_timestamp() - interval '1 ms'`);
  const owner = held('new');
  await owner.started;
  late.end();
  await late.run;
  expect(await effects()).toEqual([]);
  owner.end();
  await owner.run;
  expect(await effects()).toEqual(['new']);
  expect(await service.rows('select key from aura.outbox')).toEqual([{ key: 'new' }]);
});

it('T2: the slow part of an owner that lost its lease is told so', async () => {
  await schedule('work');
  const told = gate();
  const lost = runner(
    [
      effectOf('lost', (_, signal) => {
        signal.addEventListener('abort', told.open);
        return told.opened;
      }),
    ],
    30, // renewed every 10 ms
  );
  lost.start();
  await settled('claimed', async () => (await rows())[0]?.attempt === 1);
  await service.pool.query(
    'update aura.task set attempt = attempt + 1, lease_until = null, due_at = now() + $1',
    ['1 hour'],
  );
  await told.opened;
  await lost.stop();
  expect(await effects()).toEqual([]);
});

it('T3: a commit of the same process starts its tasks without waiting for a poll', async () => {
  const own = await serviceFixture();
  try {
    const ran = gate();
    const tasks = new TaskRunner({
      handlers: [{ kind: 'work', run: async () => (ran.open(), async () => undefined) }],
      units: { ...own.units.context, onCommitted: () => undefined },
      pool: own.pool,
      logger: silentLogger,
      idleMs: 3_600_000,
    });
    tasks.start();
    const nudging = { ...own.units.context, onCommitted: () => tasks.nudge() };
    await new UnitsOfWork(nudging).run(
      async (work) => void work.schedule({ kind: 'work', key: 'k', payload: {} }),
    );
    await ran.opened;
    await tasks.stop();
  } finally {
    await own.close();
  }
});

it('T3: a task that is due later runs when it is due', async () => {
  const dueAt = new Date(Date.now() + 300);
  const ranAt = Promise.withResolvers<number>();
  const tasks = runner([effectOf('timer', async () => ranAt.resolve(Date.now()))]);
  await schedule('work', { dueAt });
  tasks.start();
  expect(await ranAt.promise).toBeGreaterThanOrEqual(dueAt.getTime() - 5);
  await tasks.stop();
});

it('an attempt that fails is tried again, and its error is kept', async () => {
  await schedule('work');
  const seen: (string | undefined)[] = [];
  const tasks = runner([
    effectOf('a', async ({ attempt }) => {
      seen.push((await rows())[0]?.error?.message);
      if (attempt < 3) throw new Error(`attempt ${attempt}`);
    }),
  ]);
  tasks.start();
  await settled('the third attempt', async () => (await effects()).length === 1);
  await tasks.stop();
  expect(seen).toEqual([undefined, 'attempt 1', 'attempt 2']);
});

it('a terminal error fails a task at once; without an ending for that, it stays in sight', async () => {
  await schedule('work');
  await runner([effectOf('a', () => Promise.reject(new TerminalError('never')))]).runOnce();
  expect(await rows()).toMatchObject([{ state: 'failed', attempt: 1, error: { message: 'never' } }]);
});

it('a task without a last attempt is tried again, whatever it throws and however often', async () => {
  await schedule('work');
  await service.pool.query('update aura.task set attempt = 10');
  const endless = effectOf('a', () => Promise.reject(new TerminalError('never')));
  await runner([{ ...endless, maxAttempts: Infinity }]).runOnce();
  expect(await rows()).toMatchObject([{ state: 'due', attempt: 11, error: { message: 'never' } }]);
});

it('after the last attempt the handler’s own ending is told, once', async () => {
  await schedule('work');
  const handler: TaskHandler = {
    ...effectOf('a', () => Promise.reject(new Error('still no'))),
    maxAttempts: 2,
    failed: (task, error) => async (work) => {
      await work.manager.query('insert into effect values ($1, $2)', [task.id, error.message]);
    },
  };
  const tasks = runner([handler]);
  tasks.start();
  await settled('the ending', async () => (await effects()).length === 1);
  await tasks.stop();
  expect([await effects(), await rows()]).toEqual([['still no'], []]);
});

it('a task whose attempts end without a word is not tried for ever', async () => {
  await schedule('work');
  await service.pool.query('update aura.task set attempt = 10');
  await runner([{ ...effectOf('a', async () => undefined), maxAttempts: 5 }]).runOnce();
  expect(await rows()).toMatchObject([
    { state: 'failed', error: { message: expect.stringMatching('did not end') } },
  ]);
});

it('T4: a stop aborts what runs too long, and its attempt does not count, however often', async () => {
  await schedule('work');
  const attempts: number[] = [];
  const stopped = async (): Promise<void> => {
    const started = gate();
    const handler = effectOf('a', ({ attempt }, signal) => {
      attempts.push(attempt);
      started.open();
      return new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('stopped'))),
      );
    });
    const tasks = runner([{ ...handler, maxAttempts: 1 }]);
    tasks.start();
    await started.opened;
    await tasks.stop(1);
  };
  for (let n = 0; n < 4; n++) await stopped();
  // Four claims: whose the task is never goes back, or a late ending would pass for another's.
  expect(await rows()).toMatchObject([{ state: 'due', attempt: 4, error: null }]);
  await runner([effectOf('b', async ({ attempt }) => void attempts.push(attempt))]).runOnce();
  expect([await effects(), attempts]).toEqual([['b'], [1, 1, 1, 1, 1]]);
});

it('T4: a stop does not wait for a handler that ignores it; another takes over after the lease', async () => {
  await schedule('work');
  const late = held('late');
  await late.started;
  await late.tasks.stop(1, 1);
  const attempts: number[] = [];
  const other = runner([effectOf('next', async ({ attempt }) => void attempts.push(attempt))]);
  await other.runOnce();
  expect(await effects()).toEqual([]);
  await service.pool.query(`update aura.task set lease_until = clock_timestamp() - interval '1 ms'`);
  await other.runOnce();
  late.end();
  await late.run;
  expect([await effects(), attempts]).toEqual([['next'], [1]]);
});

it('T4: what was given up and fails later neither counts nor takes the task from anybody', async () => {
  await schedule('work');
  const [started, end] = [gate(), gate()];
  const late = runner([
    effectOf('late', async () => {
      started.open();
      await end.opened;
      throw new Error('too late');
    }),
  ]);
  const run = late.runOnce();
  await started.opened;
  await late.stop(1, 1);
  end.open();
  await run;
  expect(await service.rows('select attempt, uncounted, error from aura.task')).toEqual([
    { attempt: 1, uncounted: 1, error: null },
  ]);
});

it('a renewal does not lease a task that was given back for its next attempt', async () => {
  const id = await schedule('work');
  await service.pool.query('update aura.task set attempt = 1, lease_until = null');
  expect(await renewLeases(service.pool, [{ id, attempt: 1 }], 60_000)).toEqual(new Set());
  await runner([effectOf('next', async () => undefined)]).runOnce();
  expect(await effects()).toEqual(['next']);
});

const later = (ms: number): Date => new Date(Date.now() + ms);

it('T3: the next look is due with the first task of a kind, or when a lease elsewhere is over', async () => {
  await service.units.run(async (work) => {
    for (let n = 0; n < 50; n++)
      work.schedule({ kind: 'work', key: 'k', payload: {}, dueAt: later(60_000 + n) });
    work.schedule({ kind: 'other', key: 'k', payload: {}, dueAt: later(30_000) });
  });
  const next = (kinds: string[], running: string[] = []) => nextDueMs(service.pool, kinds, running);
  expect(await next(['work'])).toBeGreaterThan(55_000);
  expect(await next(['work', 'other'])).toBeLessThan(31_000);
  expect(await next(['none'])).toBeUndefined();
  // One that runs elsewhere is looked at again when its lease is over, one that runs here is not.
  const id = await schedule('work');
  await service.pool.query(`update aura.task set lease_until = now() + interval '5 s' where id = $1`, [id]);
  expect(await next(['work'])).toBeLessThan(5_100);
  expect(await next(['work'], [id])).toBeGreaterThan(55_000);
});
