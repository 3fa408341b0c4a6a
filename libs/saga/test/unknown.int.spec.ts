import { newEventId } from '@aura/contracts';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as protocol from '../src/generated/protocol.js';
import { purchase, type Purchase } from './purchase.js';
import { SagaSystem, type SagaService } from './saga-services.js';

const BY_TEST = { reason: 'the others have committed', by: 'test', dryRun: false };
const DAY_MS = 86_400_000;

let system: SagaSystem;
let running: Purchase;
let shop: SagaService;
let stock: SagaService;
beforeAll(async () => {
  system = await SagaSystem.on('postgres');
  running = await purchase(system, { retentionDays: 1 });
  shop = running.shop;
  stock = running.participants[0] as SagaService;
}, 60_000);
afterAll(() => system.stop());

/** A participant asks what was decided of `sagaId`, in a branch of `branchType`. */
const ask = (sagaId: string, branchType = `${stock.name}.StockHold`, branch = 'stock') =>
  stock.eventing.units.run(async (work) => {
    const question = { sagaId, coordinator: shop.name, branch, branchType, heldSince: new Date() };
    work.raise(protocol.DecisionAsked.by(stock.name).of(question));
  });
const answersTo = (id: string) =>
  shop.rows<{ xid: string; type: string }>(
    'select (xid::text::bigint % 4294967296)::text as xid, type from aura.outbox where key = $1',
    [id],
  );
const found = (code: string) =>
  shop.eventing.operations.doctor().then((all) => all.filter((each) => each.code === code));
const mark = async () => (await shop.rows<{ mark: Date }>('select mark from aura.saga_purged'))[0]?.mark;

/** A saga that ended, purged since. */
async function purged(): Promise<string> {
  const { id } = await shop.eventing.units.run((work) =>
    shop.sagas.begin(work, running.definition, { stock: 'shoes', money: '90', slot: 'monday' }),
  );
  await settled('it ends', async () => (await shop.sagas.find(id))?.phase === 'COMMITTED');
  await shop.rows(`update aura.saga set ended_at = ended_at - interval '2 days' where id = $1`, [id]);
  await shop.sagas.purgeOnce();
  expect(await shop.sagas.find(id)).toBeUndefined();
  return id;
}

const insert = (ids: readonly string[], phase: string, endedDaysAgo: number | null) =>
  shop.rows(
    `with made as (
       insert into aura.saga (id, type, version, phase, plan, state, later, trace, revision, started_at,
                              decided_at, ended_at)
       select id, 'purchase', 1, $2, '{}', '{}', '{}', '{}', 1, now(), now(),
              now() - make_interval(days => $3)
         from unnest($1::uuid[]) as id returning id)
     insert into aura.saga_log select id, 1, now(), '[]' from made`,
    [ids, phase, endedDaysAgo],
  );
const count = async (ids: readonly string[]) => {
  const values = [ids];
  const [sagas] = await shop.rows<{ n: number }>(
    'select count(*)::int as n from aura.saga where id = any($1::uuid[])',
    values,
  );
  const [log] = await shop.rows<{ n: number }>(
    'select count(*)::int as n from aura.saga_log where saga_id = any($1::uuid[])',
    values,
  );
  return [sagas?.n, log?.n];
};
const idsOf = (n: number, at: number) =>
  Array.from({ length: n }, (_, nth) => newEventId(new Date(at + nth)));

describe('presumed abort', () => {
  it('an unknown saga is written down as aborted in the transaction that says so, and stays so', async () => {
    const id = newEventId(new Date());
    await ask(id);
    await settled('it is answered', async () => (await answersTo(id)).length === 1);
    expect(await shop.sagas.find(id)).toMatchObject({ phase: 'ABORTED', why: { code: 'unknown' } });
    const [row] = await shop.rows<{ xid: string }>('select xmin::text as xid from aura.saga where id = $1', [
      id,
    ]);
    expect(await answersTo(id)).toEqual([{ type: 'aura.DecisionRepeated', xid: row?.xid }]);
    await ask(id);
    await settled('it is answered again', async () => (await answersTo(id)).length === 2);
    expect((await shop.sagas.operations.show(id, 10))?.possible).toEqual([]);
  });

  it('H28: nothing is presumed for whoever does not own the branch', async () => {
    const [id, after] = [newEventId(new Date()), newEventId(new Date())];
    await ask(id, `${running.participants[1]?.name}.MoneyHold`, 'money');
    await ask(after);
    await settled('the next is answered', async () => (await answersTo(after)).length === 1);
    expect([await shop.sagas.find(id), await answersTo(id)]).toEqual([undefined, []]);
  });
});

describe('a saga that may have been purged', () => {
  it('is attention, not abort: only what became of a branch decides it', async () => {
    const id = await purged();
    await ask(id);
    await settled('it has attention', async () => (await shop.sagas.find(id)) !== undefined);
    expect(await shop.sagas.find(id)).toMatchObject({
      phase: 'PREPARED',
      attention: { code: 'purged' },
      branches: [{ name: 'stock', owner: stock.name, state: 'PREPARED' }],
    });
    expect((await answersTo(id)).map(({ type }) => type)).not.toContain('aura.DecisionRepeated');
    expect(await found('saga-perhaps-purged')).toMatchObject([
      { subject: `saga ${id}`, command: `sagas show ${id}` },
    ]);
    expect((await shop.sagas.operations.show(id, 10))?.possible).toEqual(['resolve']);
    await expect(shop.sagas.operations.act(id, { name: 'force-commit' }, BY_TEST)).rejects.toThrow(
      'it may have been decided and purged here. Possible is: resolve',
    );
    await shop.sagas.runTimersOnce();
    expect(await shop.sagas.find(id)).toMatchObject({ phase: 'PREPARED' });
    const action = { name: 'resolve', branch: 'stock', committed: true } as const;
    expect(await shop.sagas.operations.act(id, action, BY_TEST)).toMatchObject({ phase: 'COMMITTING' });
    // The participant committed it long ago, and says so again.
    await settled('it ends', async () => (await shop.sagas.find(id))?.phase === 'COMMITTED');
    expect(await found('saga-perhaps-purged')).toEqual([]);
    await ask(id);
    await settled('whoever asks is told', async () =>
      (await answersTo(id)).some(({ type }) => type === 'aura.DecisionRepeated'),
    );
  });

  it('a younger one is presumed aborted all the same', async () => {
    await purged();
    const id = newEventId(new Date(Date.now() + 1_000));
    await ask(id);
    await settled('it is answered', async () => (await answersTo(id)).length === 1);
    expect(await shop.sagas.find(id)).toMatchObject({ phase: 'ABORTED' });
  });
});

describe('the purge', () => {
  it('G1, G2: takes what ended long ago, in bounded batches, and moves the mark with each', async () => {
    await shop.rows('delete from aura.saga_purged');
    const at = Date.now() - 10 * DAY_MS;
    const old = idsOf(1_200, at);
    const young = idsOf(3, at);
    const running3 = idsOf(3, at);
    await insert(old, 'COMMITTED', 2);
    await insert(young, 'COMMITTED', 0);
    await insert(running3, 'COMMITTING', null);
    await shop.sagas.purgeOnce();
    expect(await count(old)).toEqual([200, 200]);
    const [first] = await shop.rows<{ xid: string }>('select xmin::text as xid from aura.saga_purged');
    const gone = Math.max(...old.map((_, nth) => at + nth).slice(0, 1_000));
    expect((await mark())?.getTime()).toBeGreaterThanOrEqual(gone);
    await shop.sagas.purgeOnce();
    expect([await count(old), await count(young), await count(running3)]).toEqual([
      [0, 0],
      [3, 3],
      [3, 3],
    ]);
    expect((await mark())?.getTime()).toBe(at + 1_199);
    const [second] = await shop.rows<{ xid: string }>('select xmin::text as xid from aura.saga_purged');
    expect(second).not.toEqual(first);
    await shop.rows('delete from aura.saga where id = any($1::uuid[])', [[...young, ...running3]]);
  });

  it('G2: where the mark can not move, nothing is forgotten', async () => {
    const old = idsOf(2, Date.now() - 9 * DAY_MS);
    await insert(old, 'ABORTED', 2);
    await shop.rows(
      `alter table aura.saga_purged add constraint still check (mark < '2000-01-01') not valid`,
    );
    await expect(shop.sagas.purgeOnce()).rejects.toThrow('still');
    expect(await count(old)).toEqual([2, 2]);
    await shop.rows('alter table aura.saga_purged drop constraint still');
    await shop.sagas.purgeOnce();
    expect(await count(old)).toEqual([0, 0]);
  });
});
