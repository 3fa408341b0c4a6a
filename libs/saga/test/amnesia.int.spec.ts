// H11: a coordinator whose database was put back must not deny what it had decided.
import { backupOf, settled, testDatabase, type Backup, type TestDatabase } from '@aura/testing';
import { afterEach, describe, expect, it } from 'vitest';
import * as protocol from '../src/generated/protocol.js';
import { setRecalled } from '../src/coordinator/amnesia-store.js';
import { lockSagas, type Statements } from '../src/coordinator/store.js';
import type { SagaView } from '../src/index.js';
import { purchase, type Purchase } from './purchase.js';
import { SagaSystem, type SagaService } from './saga-services.js';

const BY_TEST = { reason: 'a test of amnesia', by: 'test', dryRun: false };
/** Past every deadline of the saga. */
const LATER = { now: () => new Date(Date.now() + 600_000) };

let system: SagaSystem;
let database: TestDatabase;
let backup: Backup | undefined;
let running: Purchase;
let shop: SagaService;
let stock: SagaService;
afterEach(async () => {
  await system.stop();
  await backup?.drop();
  await database.drop();
});

async function begin(kind: 'postgres' | 'kafka'): Promise<void> {
  [system, database] = [await SagaSystem.on(kind), await testDatabase('shop')];
  backup = undefined;
  running = await purchase(system, { database });
  shop = running.shop;
  stock = running.participants[0] as SagaService;
}

const buy = () =>
  shop.eventing.units.run((work) =>
    shop.sagas.begin(work, running.definition, { stock: 'shoes', money: '90', slot: 'monday' }),
  );
const holds = async (id: string): Promise<string[]> => {
  const all = running.participants.map((each) =>
    each.rows<{ state: string }>('select state from hold where saga_id = $1', [id]),
  );
  return (await Promise.all(all)).flat().map(({ state }) => state);
};
const pause = async (service: SagaService): Promise<void> => {
  await service.eventing.operations.groups.pause(BY_TEST);
  await settled('paused', () => service.eventing.status().consumer?.paused !== undefined);
};
const resume = (service: SagaService): Promise<void> => service.eventing.operations.groups.resume(BY_TEST);
const restart = async (more = {}): Promise<void> => {
  await shop.stop();
  shop = await system.service({
    name: 'shop',
    coordinates: [running.definition],
    database,
    ...more,
  });
};
async function backUp(): Promise<void> {
  await shop.stop();
  backup = await backupOf(database.url);
  await restart();
}
async function putBack(): Promise<void> {
  await shop.stop();
  await backup?.restore();
  await restart({ clock: LATER });
}
async function committed(id: string): Promise<void> {
  await settled('it is decided', async () => (await shop.sagas.find(id))?.phase === 'COMMITTING');
  await settled(
    'two of three have taken',
    async () => (await holds(id)).toSorted().join() === 'HELD,TAKEN,TAKEN',
  );
}
const ask = (sagaId: string) =>
  stock.eventing.units.run(async (work) => {
    const branchType = `${stock.name}.StockHold`;
    const question = { sagaId, coordinator: shop.name, branch: 'stock', branchType, heldSince: new Date() };
    work.raise(protocol.DecisionAsked.by(stock.name).of(question));
  });
const saidOf = async (id: string): Promise<string[]> =>
  (await shop.rows<{ type: string }>('select type from aura.outbox where key = $1', [id])).map(
    ({ type }) => type,
  );

/** It says COMMITTED to whoever asks, and ends as it was decided. */
async function expectRemembered(id: string): Promise<void> {
  await ask(id);
  await settled('it answers', async () => (await saidOf(id)).includes('aura.DecisionRepeated'));
  expect(await shop.sagas.find(id)).toMatchObject({ phase: 'COMMITTING', why: null });
  const found = () => shop.eventing.operations.relay.findings();
  await settled('the relay has stopped', async () =>
    (await found()).some(({ code }) => code.includes('back')),
  );
  await shop.eventing.operations.relay.mend('database-went-back', BY_TEST);
  await settled('published again', async () => (await found()).length === 0);
  await resume(stock);
  await settled('it ends', async () => (await shop.sagas.find(id))?.phase === 'COMMITTED');
  expect(await holds(id)).toEqual(['TAKEN', 'TAKEN', 'TAKEN']);
  expect(await saidOf(id)).not.toContain('aura.SagaAborted');
}

describe.each(['postgres', 'kafka'] as const)('over the %s log', (kind) => {
  it('H11: a decision that the database has forgotten is taken back before anything else', async () => {
    await begin(kind);
    await pause(shop);
    const { id } = await buy();
    await settled('all hold', async () => (await holds(id)).length === 3);
    await backUp();
    await pause(stock);
    await resume(shop);
    await committed(id);
    await putBack();
    await resume(shop);
    await expectRemembered(id);
    const log = (await shop.sagas.operations.show(id, 100))?.log.flatMap(({ facts }) => facts);
    expect(log?.map(({ fact }) => fact).slice(0, 5)).toEqual(
      expect.arrayContaining(['asked', 'recalled', 'committed']),
    );
  }, 60_000);

  it('H11: so is a saga that it does not know at all', async () => {
    await begin(kind);
    const { id: before } = await buy();
    await settled('one ends', async () => (await shop.sagas.find(before))?.phase === 'COMMITTED');
    await backUp();
    await pause(shop);
    const { id } = await buy();
    await settled('all hold', async () => (await holds(id)).length === 3);
    await pause(stock);
    await resume(shop);
    await committed(id);
    await putBack();
    await expectRemembered(id);
    const view = (await shop.sagas.find(id)) as SagaView;
    expect(view).toMatchObject({ type: 'purchase', version: 1, replies: { money: { holds: '90' } } });
  }, 60_000);

  it('H11: until it was compared nothing is decided, nothing is parked, and the doctor says so', async () => {
    await begin(kind);
    await pause(shop);
    const { id } = await buy();
    await settled('all hold', async () => (await holds(id)).length === 3);
    await shop.rows(`begin; update aura.saga_recalled set incarnation = 'another';
      alter table aura.saga_recalled add constraint never check (incarnation = 'another'); commit`);
    await expect(shop.sagas.cancel(id, { code: 'x', text: 'x' })).rejects.toThrow('sagas wait until');
    await expect(shop.sagas.operations.act(id, { name: 'abort' }, BY_TEST)).rejects.toThrow('sagas wait');
    await expect(shop.sagas.runTimersOnce()).rejects.toThrow('sagas wait until');
    const { relay } = shop.eventing.operations;
    await expect(relay.mend('database-went-back', BY_TEST)).rejects.toThrow('never');
    await resume(shop);
    const error = () => shop.eventing.status().consumer?.lastError?.message ?? '';
    await settled('votes wait', () => error().includes('sagas wait until'));
    await settled('it is said', () => shop.sagas.waits?.includes('never'));
    const codes = (await shop.eventing.operations.doctor()).map(({ code }) => code);
    expect(codes).toContain('sagas-wait');
    expect(await shop.sagas.find(id)).toMatchObject({ phase: 'PREPARING' });
    expect(await shop.eventing.operations.letters.list({}, 10)).toEqual([]);
    await shop.rows('alter table aura.saga_recalled drop constraint never');
    await settled('it ends', async () => (await shop.sagas.find(id))?.phase === 'COMMITTED');
    expect(shop.sagas.waits).toBeUndefined();
  }, 60_000);

  it('H11: what the relay finds is compared, too, in whatever way the database went back', async () => {
    await begin(kind);
    const atOf = async () => (await shop.rows<{ at: Date }>('select at from aura.saga_recalled'))[0]?.at;
    const { id } = await buy();
    await settled('the relay has looked', async () => (await shop.sagas.find(id))?.phase === 'COMMITTED');
    const before = await settled('it was compared', atOf);
    await shop.rows(
      `insert into aura.relay_finding (code, subject, words, details)
       values ('database-went-back', 'a test', 'a test', '{"forgotten": []}')`,
    );
    await settled('it is compared again', async () => (await atOf())?.getTime() !== before.getTime());
    await shop.rows('delete from aura.relay_finding');
  }, 60_000);

  it('A4: two replicas that take back at once do it once', async () => {
    await begin(kind);
    const { id: before } = await buy();
    await settled('one ends', async () => (await shop.sagas.find(before))?.phase === 'COMMITTED');
    await backUp();
    const ids: string[] = [];
    for (let nth = 0; nth < 20; nth++) ids.push((await buy()).id);
    const all = async (on: SagaService) => {
      const phases = await Promise.all(ids.map(async (id) => (await on.sagas.find(id))?.phase));
      return phases.every((phase) => phase === 'COMMITTED');
    };
    await settled('all end', () => all(shop));
    await shop.stop();
    await backup?.restore();
    const spec = { name: 'shop', coordinates: [running.definition as never], database, clock: LATER };
    [shop] = await Promise.all([system.service(spec), system.service(spec)]);
    await settled('all end as they had', () => all(shop));
    const logs = await Promise.all(ids.map((id) => shop.sagas.operations.show(id, 100)));
    for (const details of logs) {
      const facts = details?.log.flatMap((step) => step.facts.map(({ fact }) => fact)) ?? [];
      const once = ['recalled', 'committed', 'ended'].map(
        (name) => facts.filter((fact) => fact === name).length,
      );
      expect(once).toEqual([1, 1, 1]);
    }
  }, 60_000);
});

it('A1: what is taken back while a unit looks for it is not taken for unknown', async () => {
  await begin('postgres');
  const { id } = await buy();
  await settled('it ends', async () => (await shop.sagas.find(id))?.phase === 'COMMITTED');
  await shop.stop();
  const client = await database.client();
  await client.query(`update aura.saga_recalled set incarnation = 'another'`);
  const looks: string[] = [];
  const db: Statements = {
    async run(wanted, values = []) {
      const { rows } = await client.query({ ...wanted, values });
      looks.push(wanted.name);
      if (looks.length === 1) await setRecalled(db); // by the other replica, in this moment
      return rows as never;
    },
  };
  const found = await lockSagas(db, [id]);
  expect(found.map((saga) => saga.id)).toEqual([id]);
  expect(looks[0]).toBe('saga_lock');
});
