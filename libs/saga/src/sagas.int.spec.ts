import { derivedId, newEventId } from '@aura/contracts';
import { settled } from '@aura/testing';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi, type MockInstance } from 'vitest';
import { DecisionAsked } from './generated/protocol.js';
import { purchase, type Order, type Purchase } from '../test/purchase.js';
import { SagaSystem, type SagaService } from '../test/saga-services.js';

/** Names of the statements that are sent from here on; `silent` is asked for no ids, and so finds no rows. */
function watched({ silent }: { readonly silent: string }): () => unknown[] {
  // oxlint-disable-next-line typescript/unbound-method -- called on whichever client it was called on
  const send = Client.prototype.query as (...args: unknown[]) => unknown;
  const query = vi.spyOn(Client.prototype, 'query') as unknown as MockInstance<typeof send>;
  query.mockImplementation(function (this: Client, ...args) {
    const [sent, ...rest] = args as [{ name?: string }];
    return send.call(this, sent.name === silent ? { ...sent, values: [[]] } : sent, ...rest);
  });
  return () => query.mock.calls.map(([sent]) => (sent as { name?: string }).name);
}
afterEach(() => vi.restoreAllMocks());

const ORDER: Order = { stock: 'shoes', money: '90', slot: 'monday' };

describe.each(['postgres', 'kafka'] as const)('a saga of four services over the %s log', (kind) => {
  let system: SagaSystem;
  let running: Purchase;
  beforeAll(async () => {
    system = await SagaSystem.on(kind);
    running = await purchase(system);
  }, 60_000);
  afterAll(() => system.stop());

  const begin = (order: Order, idempotencyKey?: string) =>
    running.shop.eventing.units.run((work) =>
      running.shop.sagas.begin(work, running.definition, order, idempotencyKey ? { idempotencyKey } : {}),
    );
  const holdsOf = async (id: string): Promise<string[]> => {
    const all = running.participants.map((each) =>
      each.rows<{ state: string }>('select state from hold where saga_id = $1', [id]),
    );
    return (await Promise.all(all)).flat().map(({ state }) => state);
  };
  const ended = async (id: string) => {
    await settled(`saga ${id} ends`, async () => (await running.shop.sagas.find(id))?.endedAt !== null);
    return running.shop.sagas.find(id);
  };

  it('S2: commits, and every branch commits once', async () => {
    const { id } = await begin(ORDER);
    const decided = await running.shop.sagas.outcome(id, { withinMs: 20_000 });
    expect(decided).toMatchObject({
      decidedAt: expect.any(Date),
      why: null,
      replies: { stock: { holds: 'shoes' } },
    });
    expect(await ended(id)).toMatchObject({ phase: 'COMMITTED' });
    expect(await holdsOf(id)).toEqual(['TAKEN', 'TAKEN', 'TAKEN']);
  });

  it('H37: the commit tells who waits what was decided: nobody asks the database for it', async () => {
    const sent = watched({ silent: 'saga_decided_of' }); // what asks for the decisions of other replicas
    const decided = await running.shop.sagas.outcome(await begin(ORDER), { withinMs: 20_000 });
    expect(decided).toMatchObject({ decidedAt: expect.any(Date), replies: { stock: { holds: 'shoes' } } });
    expect(sent()).not.toContain('saga_by_ids');
    expect(await running.shop.sagas.find(decided?.id ?? '')).toMatchObject({
      startedAt: decided?.startedAt,
      decidedAt: decided?.decidedAt,
    });
  });

  it('S3: a refusal aborts, and nobody keeps a hold', async () => {
    const { id } = await begin({ ...ORDER, money: 'none' });
    expect(await ended(id)).toMatchObject({
      phase: 'ABORTED',
      why: { code: 'sold-out', text: 'none is left', branch: 'money' },
    });
    expect((await holdsOf(id)).filter((state) => state === 'HELD' || state === 'TAKEN')).toEqual([]);
  });

  it('a repeated start gives the first saga; with another input it is a conflict', async () => {
    const first = await begin(ORDER, 'key-1');
    expect(await begin(ORDER, 'key-1')).toEqual({ id: first.id, isNew: false });
    await expect(begin({ ...ORDER, stock: 'hats' }, 'key-1')).rejects.toThrow(
      /was used before, for another one/,
    );
  });

  it('a hold that nobody decided asks, and is given back: its saga is presumed aborted', async () => {
    const { id } = await begin(ORDER);
    await ended(id);
    const [stock] = running.participants as [SagaService];
    const lost = newEventId(new Date());
    await stock.rows(`insert into hold values ($1, 'stock', 'shoes', 'HELD')`, [lost]);
    // As a participant keeps it that has said yes to a coordinator whose database was lost.
    await stock.rows(
      `insert into aura.branch
       select (jsonb_populate_record(null::aura.branch, to_jsonb(b) || jsonb_build_object(
                 'saga_id', $2::text, 'state', 'PREPARED', 'decided_at', null, 'ask_at', now()))).*
         from aura.branch b where saga_id = $1`,
      [id, lost],
    );
    const state = async () =>
      (await stock.rows<{ state: string }>('select state from hold where saga_id = $1', [lost]))[0]?.state;
    await settled('the hold is given back', async () => (await state()) === 'GIVEN BACK');
    expect(await running.shop.sagas.find(lost)).toMatchObject({ type: 'unknown', phase: 'ABORTED' });
  });

  it('starts that are submitted together are one transaction, with the rows that are theirs', async () => {
    const { shop, definition } = running;
    const all = Array.from({ length: 50 }, (_, i) =>
      shop.sagas.submit(definition, { ...ORDER, stock: `hat-${i}` }),
    );
    const ids = (await Promise.all(all)).map(({ id }) => id);
    expect(new Set(ids).size).toBe(50);
    const rows = await shop.rows<{ id: string; noted: string }>(
      `select s.id, b.stock as noted
         from aura.saga_log s_log join aura.saga s on s.id = s_log.saga_id join bought b on b.id = s.id
        where s_log.revision = 1 and s.id = any($1::uuid[])`,
      [ids],
    );
    expect(rows.map(({ noted }) => noted).toSorted()).toEqual(ids.map((_, i) => `hat-${i}`).toSorted());
    const [{ transactions }] = (await shop.rows<{ transactions: number }>(
      'select count(distinct xmin::text)::int as transactions from bought where id = any($1::uuid[])',
      [ids],
    )) as [{ transactions: number }];
    expect(transactions).toBe(1);
    for (const id of ids) expect(await ended(id)).toMatchObject({ phase: 'COMMITTED' });
    // H40: an event of a participant decides many of them, and each decision is named after it and its saga.
    const decided = await shop.rows<{ id: string; key: string; cause: string }>(
      `select event_id as id, key, headers ->> 'causationid' as cause from aura.outbox
        where type = 'aura.SagaCommitted' and key = any($1)`,
      [ids],
    );
    expect(new Set(decided.map(({ cause }) => cause)).size).toBeLessThan(50);
    const named = ({ cause: causeId, key }: { cause: string; key: string }): string =>
      derivedId({ causeId, group: `${shop.name}/part:${key}`, ordinal: 0 });
    expect(decided.map(({ id }) => id)).toEqual(decided.map(named));
  });

  it('one of them that can’t be started does not keep the others', async () => {
    const { shop, definition } = running;
    const key = newEventId(new Date());
    const [first, again, other, wrong, last] = await Promise.allSettled([
      shop.sagas.submit(definition, ORDER, { idempotencyKey: key }),
      shop.sagas.submit(definition, ORDER, { idempotencyKey: key }),
      shop.sagas.submit(definition, { ...ORDER, stock: 'gloves' }, { idempotencyKey: key }),
      shop.sagas.submit(definition, { ...ORDER, stock: 'unlucky' }),
      shop.sagas.submit(definition, ORDER),
    ]);
    const id = first.status === 'fulfilled' ? first.value.id : '';
    expect(again).toEqual({ status: 'fulfilled', value: { id, isNew: false } });
    expect(other).toMatchObject({ status: 'rejected', reason: { name: 'ConflictError' } });
    expect(wrong).toMatchObject({ status: 'rejected' });
    expect(last).toMatchObject({ status: 'fulfilled', value: { isNew: true } });
  });

  it('a passing fault is everybody’s: no start of that transaction is tried again by itself', async () => {
    const { shop, definition } = running;
    const submit = (stock: string) => shop.sagas.submit(definition, { ...ORDER, stock });
    const outcomes = await Promise.allSettled(['boots', 'away', 'scarf'].map(submit));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await shop.rows("select 1 from bought where stock in ('boots', 'scarf')")).toEqual([]);
  });

  it('C4: a saga that can’t be stepped keeps no other waiting that is answered for beside it', async () => {
    const { shop, definition } = running;
    // Any row of the saga whose purchase says so can't be changed, for no passing reason.
    await shop.rows(`create function cursed() returns trigger language plpgsql as $$ begin
      if exists (select from bought b where b.id = new.id and b.stock = 'cursed') then raise 'cursed'; end if;
      return new; end $$`);
    await shop.rows(
      'create trigger cursed before update on aura.saga for each row execute function cursed()',
    );
    const stocks = Array.from({ length: 30 }, (_, i) => (i === 15 ? 'cursed' : `belt-${i}`));
    const begun = await Promise.all(
      stocks.map((stock) => shop.sagas.submit(definition, { ...ORDER, stock })),
    );
    const ids = begun.map(({ id }) => id);
    const [cursed] = ids.splice(15, 1) as [string];
    for (const id of ids) expect(await ended(id)).toMatchObject({ phase: 'COMMITTED' });
    expect(await shop.sagas.find(cursed)).toMatchObject({ phase: 'PREPARING' });
    const kept = await settled('its answers are tasks', async () => {
      const tasks = await shop.rows<{ key: string }>(
        `select key from aura.task where kind = 'aura.saga-answer'`,
      );
      return tasks.length === 3 ? tasks : undefined;
    });
    expect(kept.map(({ key }) => key)).toEqual([cursed, cursed, cursed]);
    await shop.rows('drop trigger cursed on aura.saga');
    expect(await ended(cursed)).toMatchObject({ phase: 'COMMITTED' });
    expect(await shop.rows('select from aura.letter')).toEqual([]);
  });

  it('S7: a question about a decided saga is answered, and changes no row of it', async () => {
    const { shop, participants } = running;
    const { id } = await begin(ORDER);
    await ended(id);
    const [stock] = participants as [SagaService];
    const [row] = await stock.rows<{ branch_type: string }>(
      'select branch_type from aura.branch where saga_id = $1',
      [id],
    );
    const rows = () =>
      shop.rows(
        'select s::text, l::text from aura.saga s join aura.saga_log l on l.saga_id = s.id where s.id = $1',
        [id],
      );
    const before = await rows();
    await stock.eventing.units.run(async (work) => {
      const question = {
        sagaId: id,
        coordinator: shop.name,
        branch: 'stock',
        branchType: row?.branch_type ?? '',
      };
      work.raise(DecisionAsked.by(stock.name).of({ ...question, heldSince: work.now }));
    });
    await settled('it is answered', async () => {
      const said = await shop.rows(
        "select 1 from aura.outbox where key = $1 and type = 'aura.DecisionRepeated'",
        [id],
      );
      return said.length === 1;
    });
    expect(await rows()).toEqual(before);
  });
});
