import { derivedId } from '@aura/contracts';
import { silentLogger, TransientError } from '@aura/platform';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Counted, serviceFixture, type ServiceFixture } from '../../test/service-fixture.js';
import type { Work } from '../unit-of-work/work.js';
import type { EndedTask, SetTaskHandler, Task } from './task.js';
import { TaskRunner } from './task-runner.js';

let service: ServiceFixture;
beforeAll(async () => {
  service = await serviceFixture({
    sql: 'create table effect (task_id uuid not null, who text not null)',
  });
});
afterAll(() => service.close());
beforeEach(async () => {
  warnings.length = 0;
  await service.pool.query('truncate aura.task, aura.outbox, effect');
});

const warnings: string[] = [];
const logger = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) };
const runner = (handler: SetTaskHandler): TaskRunner =>
  new TaskRunner({
    handlers: [handler],
    units: service.units.context,
    pool: service.pool,
    logger,
    leaseMs: 60_000,
  });
const effects = async (): Promise<string[]> =>
  (await service.rows<{ who: string }>('select who from effect order by who')).map((row) => row.who);
const rows = (): Promise<{ state: string; attempt: number; error: { message: string } | null }[]> =>
  service.rows('select state, attempt, error from aura.task');

function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** A set handler whose tasks are ready when `end` is called, all at once. */
function together(
  endAll: SetTaskHandler['endAll'],
  { who = 'set', keys = 3 }: { who?: string; keys?: number } = {},
) {
  const [started, end] = [gate(), gate()];
  let running = 0;
  const handler: SetTaskHandler = {
    kind: 'work',
    concurrency: 10,
    initialBackoffMs: 1,
    maxBackoffMs: 1,
    run: async ({ key }) => {
      if (++running === keys) started.open();
      await end.opened;
      return `${who} ${key}`;
    },
    endAll,
  };
  return { handler, started: started.opened, end: end.open };
}

/** What a set handler of these specs writes: who ended, in one statement; an event of each. */
async function effectOfAll(ended: readonly EndedTask[], work: Work): Promise<void> {
  await work.manager.query('insert into effect select * from unnest($1::uuid[], $2::text[])', [
    ended.map(({ task }) => task.id),
    ended.map(({ result }) => result),
  ]);
  for (const { task, work: own } of ended) own.raise(Counted.of({ key: task.key, n: 1 }));
}

const scheduleKeys = (keys: readonly string[]): Promise<void> =>
  service.units.run(async (work) => {
    for (const key of keys) work.schedule({ kind: 'work', key, payload: { key } });
  });
const transactions = async (): Promise<number> =>
  (await service.rows('select distinct xmin::text from effect')).length;
const raised = () =>
  service.rows<{ key: string; causationid: string | null; event_id: string }>(
    `select key, event_id, headers ->> 'causationid' as causationid from aura.outbox order by key`,
  );

it('T5: tasks that are ready together end in one transaction, each with events of its own', async () => {
  await scheduleKeys(['a', 'b', 'c']);
  const { handler, started, end } = together(effectOfAll);
  const run = runner(handler).runOnce();
  await started;
  end();
  await run;
  expect([await effects(), await transactions(), await rows()]).toEqual([['set a', 'set b', 'set c'], 1, []]);
  const events = await raised();
  expect(events.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
  expect(new Set(events.map(({ event_id: id }) => id)).size).toBe(3);
});

it('T5, H40: an event of a set is named after its own task, whatever shares the transaction', async () => {
  await scheduleKeys(['a', 'b', 'c']);
  const before = await service.rows<Task>('select id, key from aura.task order by key');
  const all = together(effectOfAll);
  const run = runner(all.handler).runOnce();
  await all.started;
  all.end();
  await run;
  const ids = (await raised()).map(({ event_id: id }) => id);
  const own = before.map(({ id: causeId }) => derivedId({ causeId, group: 'task', ordinal: 0 }));
  expect(ids).toEqual(own);
});

it('T5: where one of a set can’t be ended, the others end all the same', async () => {
  await scheduleKeys(['a', 'bad', 'c']);
  const { handler, started, end } = together(async (ended, work) => {
    await effectOfAll(ended, work);
    if (ended.some(({ task }) => task.key === 'bad')) throw new Error('not this one');
  });
  const run = runner(handler).runOnce();
  await started;
  end();
  await run;
  expect([await effects(), (await raised()).map(({ key }) => key)]).toEqual([
    ['set a', 'set c'],
    ['a', 'c'],
  ]);
  expect(await rows()).toMatchObject([{ state: 'due', attempt: 1, error: { message: 'not this one' } }]);
});

it('T2, T5: of a set, only what is still owned is ended', async () => {
  await scheduleKeys(['a', 'lost', 'c']);
  const late = together(effectOfAll, { who: 'late' });
  const run = runner(late.handler).runOnce();
  await late.started;
  await service.pool.query(
    `update aura.task set attempt = attempt + 1, lease_until = null where key = 'lost'`,
  );
  late.end();
  await run;
  expect(await effects()).toEqual(['late a', 'late c']);
  expect(await service.rows('select key from aura.task')).toEqual([{ key: 'lost' }]);
  expect(warnings).toEqual(['task: another attempt owns it, dropped']);
});

it('T5: what is shared by a set raises and schedules nothing: nobody would know for whom', async () => {
  await scheduleKeys(['a']);
  const words: string[] = [];
  const { handler, end } = together(
    async (ended, work) => {
      for (const wrong of [
        () => work.raise(Counted.of({ key: 'x', n: 1 })),
        () => work.schedule({ kind: 'work', key: 'x', payload: {} }),
      ])
        try {
          wrong();
        } catch (error) {
          words.push((error as Error).message);
        }
      await work.savepoint(async (inner) => {
        expect(() => inner.raise(Counted.of({ key: 'x', n: 1 }))).toThrow('without saying for which task');
      });
      await effectOfAll(ended, work);
    },
    { keys: 1 },
  );
  end();
  await runner(handler).runOnce();
  expect(words).toEqual([
    expect.stringMatching(/raised .*Counted without saying for which task/),
    expect.stringContaining('scheduled work without saying for which task'),
  ]);
  expect((await raised()).map(({ key }) => key)).toEqual(['a']);
});

it('T5: a set whose end may have been committed is tried again as it is, not one by one', async () => {
  await scheduleKeys(['a', 'b', 'c']);
  const sizes: number[] = [];
  const { handler, started, end } = together(async (ended) => {
    sizes.push(ended.length);
    throw new TransientError('the connection is gone');
  });
  const run = runner(handler).runOnce();
  await started;
  end();
  await run;
  expect(sizes).toEqual([3]);
  expect((await rows()).map(({ error }) => error?.message)).toEqual(Array(3).fill('the connection is gone'));
});
