import { derivedId, isUuidV7, type EventEnvelope } from '@aura/contracts';
import { EntitySchema } from 'typeorm';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Counted, serviceFixture, type ServiceFixture } from '../../test/service-fixture.js';
import { SwallowedSqlError, UnknownOutcomeError } from './commit.js';
import { UnitOfWork } from './unit-of-work.js';
import type { Cause, Work } from './work.js';

const Item = new EntitySchema<{ id: number }>({
  name: 'item',
  columns: { id: { type: 'int', primary: true } },
});

let service: ServiceFixture;
beforeAll(async () => {
  service = await serviceFixture({ entities: [Item], sql: 'create table item (id int primary key)' });
});
afterAll(() => service.close());
beforeEach(async () => {
  await service.pool.query('truncate item, aura.outbox, aura.task');
  service.committed.length = 0;
});

const items = async (): Promise<number[]> =>
  (await service.rows<{ id: number }>('select id from item order by id')).map((row) => row.id);
const outbox = (): Promise<
  { event_id: string; key: string; body: Buffer; headers: object; position: string }[]
> => service.rows('select event_id, key, body, headers, position from aura.outbox order by position');
const tasks = (): Promise<{ id: string; kind: string }[]> => service.rows('select id, kind from aura.task');
const eventOf = (id: string): EventEnvelope =>
  ({ id, headers: {}, correlationId: 'saga-1' }) as EventEnvelope;
const causedBy = (event: EventEnvelope): Cause => ({ kind: 'event', event, group: 'shop' });
const raise = (work: Work, key: string, n = 1): void => {
  work.raise(Counted.of({ key, n }));
};
const mayWait = (work: Work, withinMs: number): void => {
  work.raise(Counted.of({ key: 'a', n: 1 }), { withinMs });
};

it('E1: rows, events and tasks are committed together, events in the order of raising', async () => {
  await service.units.run(async (work) => {
    await work.manager.insert(Item, { id: 1 });
    for (const key of ['c', 'a', 'b']) raise(work, key);
    work.schedule({ kind: 'later', key: 'a', payload: {} });
  });
  expect(await items()).toEqual([1]);
  expect((await outbox()).map((row) => row.key)).toEqual(['c', 'a', 'b']);
  expect(await tasks()).toHaveLength(1);
  expect(service.committed).toEqual([{ events: 3, tasks: 1 }]);
});

it('a unit may wait for company as long as the event of it that is most in a hurry', async () => {
  await service.units.run(async (work) => {
    mayWait(work, 20);
    mayWait(work, 50);
  });
  await service.units.run(async (work) => {
    raise(work, 'b');
    mayWait(work, 50);
  });
  expect(service.committed).toEqual([
    { events: 2, tasks: 0, withinMs: 20 },
    { events: 2, tasks: 0 },
  ]);
});

it('E1: nothing of a unit that throws is there afterwards, and nobody is told of it', async () => {
  const boom = new Error('boom');
  const run = service.units.run(async (work) => {
    await work.manager.insert(Item, { id: 1 });
    raise(work, 'a');
    work.schedule({ kind: 'later', key: 'a', payload: {} });
    throw boom;
  });
  await expect(run).rejects.toBe(boom);
  expect([await items(), await outbox(), await tasks()]).toEqual([[], [], []]);
  expect(service.committed).toEqual([]);
});

it('E1: nothing is written to the outbox before the end of the unit', async () => {
  await service.units.run(async (work) => {
    raise(work, 'a');
    const [row] = await work.manager.query('select count(*)::int as n from aura.outbox');
    expect(row.n).toBe(0);
  });
  expect(await outbox()).toHaveLength(1);
});

it('H1: a handler that swallows an SQL error is named, and its unit is not taken for committed', async () => {
  const unit = await UnitOfWork.begin(service.units.context);
  const work = unit.work({ kind: 'request' });
  raise(work, 'a');
  await work.manager.insert(Item, { id: 1 });
  await work.manager.insert(Item, { id: 1 }).catch(() => undefined); // the mistake
  await expect(unit.assertHealthy('Shop.paid')).rejects.toThrow(
    /Shop\.paid caught an SQL error.*work\.savepoint/,
  );
  await expect(unit.commit('Shop.paid')).rejects.toBeInstanceOf(SwallowedSqlError);
  await unit.rollback();
  expect([await items(), await outbox()]).toEqual([[], []]);
});

it('H1: an answer to COMMIT that is not COMMIT is an error, even where the state looked sound', async () => {
  const unit = await UnitOfWork.begin(service.units.context);
  await unit.manager.insert(Item, { id: 1 });
  await unit.manager.insert(Item, { id: 1 }).catch(() => undefined);
  unit.client.getTransactionStatus = () => 'T'; // as if the client had not noticed
  try {
    await expect(unit.commit('Shop.paid')).rejects.toBeInstanceOf(SwallowedSqlError);
  } finally {
    delete (unit.client as { getTransactionStatus?: unknown }).getTransactionStatus;
    await unit.rollback();
  }
  expect(await items()).toEqual([]);
});

it('U7: a last statement that fails keeps the COMMIT behind it from counting, and is told', async () => {
  const unit = await UnitOfWork.begin(service.units.context);
  raise(unit.work({ kind: 'request' }), 'a');
  await unit.manager.insert(Item, { id: 1 });
  const commit = unit.commit('Shop.paid', () => [unit.client.query('select 1 / 0')]);
  await expect(commit).rejects.toMatchObject({ code: '22012' });
  await unit.rollback();
  expect([await items(), await outbox()]).toEqual([[], []]);
});

it('U7: where a last statement could not be sent at all, neither is COMMIT', async () => {
  const unit = await UnitOfWork.begin(service.units.context);
  raise(unit.work({ kind: 'request' }), 'a');
  await unit.manager.insert(Item, { id: 1 });
  const unreadable = {
    toPostgres: (): never => {
      throw new Error('no text');
    },
  };
  const commit = unit.commit('Shop.paid', () => [unit.client.query('select $1', [unreadable])]);
  await expect(commit).rejects.toThrow('no text');
  await unit.rollback();
  expect([await items(), await outbox()]).toEqual([[], []]);
});

it('H17: what a repository of before writes in a savepoint goes with it', async () => {
  await service.units.run(async (work) => {
    const repository = work.manager.getRepository(Item);
    await work
      .savepoint(async () => {
        await repository.insert({ id: 1 });
        throw new Error('no');
      })
      .catch(() => undefined);
    await repository.insert({ id: 2 });
  });
  expect(await items()).toEqual([2]);
});

it('H17: an event that was raised in a savepoint goes with it, and so do its rows and tasks', async () => {
  await service.units.run(async (work) => {
    raise(work, 'kept');
    const inner = work.savepoint(async (nested) => {
      await nested.manager.insert(Item, { id: 2 });
      raise(nested, 'undone');
      nested.schedule({ kind: 'undone', key: 'x', payload: {} });
      throw new Error('inner');
    });
    await expect(inner).rejects.toThrow('inner');
    await work.manager.insert(Item, { id: 1 });
  });
  expect(await items()).toEqual([1]);
  expect((await outbox()).map((row) => row.key)).toEqual(['kept']);
  expect(await tasks()).toEqual([]);
});

it('H17: a savepoint whose function swallows an SQL error is undone, and the unit goes on', async () => {
  await service.units.run(async (work) => {
    const inner = work.savepoint(async (nested) => {
      await nested.manager.query('select 1 / 0').catch(() => undefined);
    });
    await expect(inner).rejects.toBeInstanceOf(SwallowedSqlError);
    await work.manager.insert(Item, { id: 1 });
  });
  expect(await items()).toEqual([1]);
});

it('H42: manager.save() joins the unit instead of committing by itself', async () => {
  const run = service.units.run(async (work) => {
    await work.manager.save(Item, { id: 1 });
    await work.manager.save(Item, [{ id: 2 }, { id: 3 }]);
    throw new Error('after saving');
  });
  await expect(run).rejects.toThrow('after saving');
  expect(await items()).toEqual([]);
});

it('H42: manager.transaction() is refused, with the name of what to use', async () => {
  const run = service.units.run((work) => work.manager.transaction(async () => undefined));
  await expect(run).rejects.toThrow('work.savepoint');
});

it('U5: events of a cause have the same ids whenever it is handled, whatever shares the unit', async () => {
  const first = eventOf('01890a5d-ac96-774b-bcce-b302099a8057');
  const other = eventOf('01890a5d-ac96-774b-bcce-b302099a8058');
  const handle = async (causes: EventEnvelope[]): Promise<string[]> => {
    const unit = await UnitOfWork.begin(service.units.context);
    const raised: string[] = [];
    for (const by of causes) {
      const work = unit.work(causedBy(by));
      raised.push(`${by.id} ${work.raise(Counted.of({ key: 'k', n: 1 })).id}`);
      raised.push(`${by.id} ${work.raise(Counted.of({ key: 'k', n: 2 })).id}`);
      raised.push(`${by.id} ${work.schedule({ kind: 't', key: 'k', payload: {} }).id}`);
    }
    await unit.commit('test');
    return raised.filter((line) => line.startsWith(first.id));
  };
  const once = await handle([first]);
  expect(await handle([other, first])).toEqual(once);
  expect(new Set(once).size).toBe(3);
  expect(once[0]).toBe(`${first.id} ${derivedId({ causeId: first.id, group: 'shop', ordinal: 0 })}`);
  const [row] = await outbox();
  expect(row?.headers).toEqual({ correlationid: 'saga-1', causationid: first.id });
});

it('U5: where one cause is about many things, the ids of each depend on nothing else', async () => {
  const cause = eventOf('01890a5d-ac96-774b-bcce-b302099a8057');
  const idsOf = async (parts: readonly string[]): Promise<Record<string, string>> => {
    const unit = await UnitOfWork.begin(service.units.context);
    const work = unit.work(causedBy(cause));
    const ids = parts.map((part) => [part, work.raise(Counted.of({ key: part, n: 1 }), { part }).id]);
    await unit.rollback();
    return Object.fromEntries(ids) as Record<string, string>;
  };
  const both = await idsOf(['a', 'b']);
  expect(new Set(Object.values(both)).size).toBe(2);
  expect(await idsOf(['b', 'a'])).toEqual(both);
  expect(await idsOf(['b'])).toEqual({ b: both['b'] });
});

it('U5: a savepoint that was undone does not shift the ids of what comes after it', async () => {
  const cause = eventOf('01890a5d-ac96-774b-bcce-b302099a8057');
  const ids: string[] = [];
  for (const fails of [true, false]) {
    const unit = await UnitOfWork.begin(service.units.context);
    const work = unit.work(causedBy(cause));
    raise(work, 'before');
    if (fails) {
      const inner = work.savepoint(async (nested) => {
        raise(nested, 'undone');
        throw new Error('inner');
      });
      await expect(inner).rejects.toThrow('inner');
    }
    ids.push(work.raise(Counted.of({ key: 'k', n: 1 })).id);
    await unit.rollback();
  }
  expect(ids[0]).toBe(ids[1]);
});

it('ids of a person’s request are random UUIDv7', async () => {
  const ids = await service.units.run(async (work) =>
    [1, 2].map((n) => work.raise(Counted.of({ key: 'k', n })).id),
  );
  expect(ids.every(isUuidV7)).toBe(true);
  expect(ids[0]).not.toBe(ids[1]);
});

it('a wrong payload is refused when it is raised, and the unit can go on', async () => {
  await service.units.run(async (work) => {
    expect(() => work.raise(Counted.of({ key: 'k', n: 'one' as unknown as number }))).toThrow(
      /Counted\.n: expected int/,
    );
    raise(work, 'k');
  });
  expect(await outbox()).toHaveLength(1);
});

it('a connection that breaks during COMMIT is an unknown outcome, and leaves the pool', async () => {
  const unit = await UnitOfWork.begin(service.units.context);
  await unit.manager.insert(Item, { id: 1 });
  const [{ pid }] = await unit.manager.query('select pg_backend_pid() as pid');
  await service.rows('select pg_terminate_backend($1)', [pid]);
  await expect(unit.commit('test')).rejects.toBeInstanceOf(UnknownOutcomeError);
  await unit.rollback();
  await service.units.run(async (work) => void (await work.manager.insert(Item, { id: 2 })));
  expect(await items()).toEqual([2]);
});

it('E2: lock(key) serialises units of one key', async () => {
  const order: string[] = [];
  const first = await UnitOfWork.begin(service.units.context);
  await first.work({ kind: 'request' }).lock('k');
  const second = service.units.run(async (work) => {
    await work.lock('k');
    order.push('second');
  });
  const waits = async (): Promise<boolean> =>
    (await service.rows(`select 1 from pg_locks where locktype = 'advisory' and not granted`)).length === 1;
  while (!(await waits())) await new Promise((resolve) => setImmediate(resolve));
  order.push('first');
  await first.commit('test');
  await second;
  expect(order).toEqual(['first', 'second']);
});

it('hints are called after the commit, those of an undone savepoint and of a failed unit never', async () => {
  const called: string[] = [];
  await service.units.run(async (work) => {
    work.afterCommit(() => called.push('committed'));
    const inner = work.savepoint(async (nested) => {
      nested.afterCommit(() => called.push('undone'));
      throw new Error('inner');
    });
    await expect(inner).rejects.toThrow('inner');
    expect(called).toEqual([]);
  });
  const failed = service.units.run(async (work) => {
    work.afterCommit(() => called.push('failed'));
    throw new Error('outer');
  });
  await expect(failed).rejects.toThrow('outer');
  expect(called).toEqual(['committed']);
});

it('U6: once a unit has ended nothing is taken any more: no event is lost without a word', async () => {
  const kept: Work[] = [];
  await service.units.run(async (work) => void kept.push(work));
  const failed = service.units.run(async (work) => {
    kept.push(work);
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  for (const work of kept) {
    expect(() => work.raise(Counted.of({ key: 'k', n: 1 }))).toThrow('has ended');
    expect(() => work.schedule({ kind: 'late', key: 'k', payload: {} })).toThrow('has ended');
    expect(() => work.afterCommit(() => undefined)).toThrow('has ended');
    await expect(work.savepoint(async () => undefined)).rejects.toThrow('has ended');
    await expect(work.lock('k')).rejects.toThrow('has ended');
  }
});

it('U6: an event raised while its unit is being flushed is refused, not dropped', async () => {
  const unit = await UnitOfWork.begin(service.units.context);
  const work = unit.work({ kind: 'request' });
  raise(work, 'in time');
  const commit = unit.commit('test', () => {
    expect(() => raise(work, 'late')).toThrow('has ended');
    return [];
  });
  await commit;
  expect((await outbox()).map((row) => row.key)).toEqual(['in time']);
});
