import { newEventId } from '@aura/contracts';
import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  consumerFixture,
  ledgerService,
  testLogs,
  type ConsumerFixture,
} from '../../test/consumer-fixture.js';
import { at } from '../../test/hand-driven-log.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { Handlers } from './handlers.js';
import { inboxDays } from './inbox-days.js';
import { inboxFindings, InboxUpkeep } from './inbox-upkeep.js';
import { forgetDay, makeDay, partitions } from './inbox.js';
import { movePartitions } from './offsets.js';
import { readRecord } from './reading.js';
import { runUnit, type UnitOutcome } from './unit.js';

const DAY_MS = 86_400_000;
const RETENTION_DAYS = 14;
const daysAgo = (days: number): Date => new Date(Date.now() - days * DAY_MS);
const idOf = (days: number): string => newEventId(daysAgo(days));

let base: ServiceFixture;
let service: ConsumerFixture;
let upkeep: InboxUpkeep;
beforeAll(async () => {
  base = await ledgerService();
});
beforeEach(async () => {
  service = await consumerFixture(base);
  for (const name of (await partitions(service.pool)).names)
    if (name !== 'inbox_default') await service.pool.query(`drop table aura.${name}`);
  await service.pool.query('truncate aura.inbox_low_water');
  upkeep = new InboxUpkeep('spec', service.units, silentLogger, RETENTION_DAYS);
  await service.pool.query(
    `insert into aura.consumer_offset
            (consumer_group, topic, partition, next_offset, high_water, epoch, owner, released)
     values ($1, $2, 0, 0, 0, 1, 'spec', false)`,
    [service.events.group, service.events.topic],
  );
});
afterAll(() => base.close());

interface Arrival {
  readonly offset: number;
  readonly id: string;
  readonly key?: string;
  readonly replay?: boolean;
}

/** As the consumer hands them over; the group stands behind the last of them afterwards. */
async function arrive(...arrivals: Arrival[]): Promise<UnitOutcome> {
  const { events, units } = service;
  const handlers = new Handlers([events.noting()]);
  const context = { contracts: events.contracts, registry: events.registry, handlers };
  const deliveries = await Promise.all(
    arrivals.map(({ offset, id, key = 'a', replay }) => {
      const headers: Record<string, string> = replay ? { replayid: 'r1' } : {};
      const record = events.record({ key, n: offset, id, headers });
      return readRecord(context, at(0, offset, record), new Date());
    }),
  );
  const offset = BigInt(Math.max(...arrivals.map((arrival) => arrival.offset)) + 1);
  const position = { topic: events.topic, partition: 0, offset, epoch: 1n };
  return runUnit({ group: events.group, handlers, units }, deliveries, [position]);
}
const letters = (): Promise<{ key: string; error: { name: string; message: string } | null }[]> =>
  service.rows('select key, error from aura.letter order by id');
const mark = async (): Promise<string | undefined> =>
  (await service.rows<{ below: string }>('select below from aura.inbox_low_water'))[0]?.below;
const dayAgo = (days: number) => inboxDays(daysAgo(days), 0)[0]!;
const makeDayAgo = async (days: number): Promise<void> => {
  const client = await service.database.client();
  await makeDay(client, dayAgo(days));
  await client.end();
};

describe('the low-water mark', () => {
  it('W1: a day past the retention is dropped, and the mark of its groups moves past it', async () => {
    await makeDayAgo(20);
    await makeDayAgo(13);
    await upkeep.runOnce();
    const { names } = await partitions(service.pool);
    expect(names).not.toContain(dayAgo(20).name);
    expect(names).toContain(dayAgo(13).name);
    expect(await mark()).toBe(dayAgo(20).to);
  });

  it('W1: the drop and the mark are one transaction', async () => {
    await makeDayAgo(20);
    await service.pool.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
       create trigger refuse before insert on aura.inbox_low_water execute function refuse()`,
    );
    await expect(upkeep.runOnce()).rejects.toThrow('no');
    expect((await partitions(service.pool)).names).toContain(dayAgo(20).name);
    await service.pool.query('drop function refuse cascade');
    await upkeep.runOnce();
    expect((await partitions(service.pool)).names).not.toContain(dayAgo(20).name);
  });

  it('W1: ids in the DEFAULT partition go by their arrival, and the mark moves past them', async () => {
    const old = [idOf(40), idOf(39)];
    await arrive({ offset: 0, id: old[0]! }, { offset: 1, id: old[1]! }, { offset: 2, id: idOf(38) });
    await service.pool.query(
      `update aura.inbox_default set arrived_at = now() - interval '15 days'
        where event_id = any($1::uuid[])`,
      [old],
    );
    await upkeep.runOnce();
    expect(await service.rows('select from aura.inbox_default')).toHaveLength(1);
    expect((await mark())! > old[1]!).toBe(true);
    expect((await mark())! < idOf(38)).toBe(true);
  });

  it('W1: a mark never falls', async () => {
    await makeDayAgo(20);
    await upkeep.runOnce();
    await arrive({ offset: 0, id: idOf(60) });
    await service.pool.query(`update aura.inbox_default set arrived_at = now() - interval '15 days'`);
    await upkeep.runOnce();
    expect(await mark()).toBe(dayAgo(20).to);
  });
});

describe('what is older than the mark', () => {
  beforeEach(async () => {
    await makeDayAgo(20);
    await upkeep.runOnce();
  });

  it('H41: the backlog of a reader that was down for longer is applied, not parked', async () => {
    const backlog = [30, 25, 21, 15, 1].map((days, offset) => ({
      offset,
      id: idOf(days),
      key: `k${offset}`,
    }));
    expect(await arrive(...backlog)).toEqual({ applied: 5, duplicates: 0, parked: 0 });
    expect(await letters()).toEqual([]);
    const again = backlog.map(({ id, key }, n) => ({ offset: 5 + n, id, key, replay: true }));
    expect(await arrive(...again)).toEqual({ applied: 0, duplicates: 5, parked: 0 });
  });

  it('H8: a replay older than the inbox is parked as too old to judge, not applied again', async () => {
    const ids = [30, 29, 25].map(idOf);
    const replayed = ids.map((id, offset) => ({ offset, id, key: `k${offset}`, replay: true }));
    expect(await arrive(...replayed, { offset: 3, id: idOf(0), key: 'live' })).toMatchObject({
      applied: 1,
      parked: 3,
    });
    expect(await service.ledger()).toEqual(['live:3']);
    const [letter] = await letters();
    expect(letter).toMatchObject({ key: 'k0', error: { name: 'TooOldToJudgeError' } });
    expect(letter?.error?.message).toContain(ids[0]);
    expect(letter?.error?.message).toMatch(/sent again by the replay r1.*redrive it .*discard it/);
    expect(await service.rows(`select from aura.parked_key where state = 'dead'`)).toHaveLength(3);
  });

  it('H8: a younger replay is applied where it was missed, and dropped where it was not', async () => {
    const known = idOf(3);
    await arrive({ offset: 0, id: known });
    const missed = { offset: 2, id: idOf(2), replay: true };
    expect(await arrive({ offset: 1, id: known, replay: true }, missed)).toMatchObject({
      applied: 1,
      duplicates: 1,
      parked: 0,
    });
  });

  it('H8: what a group reads again is parked, too; what it reads first is applied', async () => {
    await service.pool.query('update aura.consumer_offset set high_water = 2');
    const outcome = await arrive(
      { offset: 0, id: idOf(30), key: 'x' },
      { offset: 1, id: idOf(29), key: 'y' },
      { offset: 2, id: idOf(28), key: 'z' },
    );
    expect(outcome).toMatchObject({ applied: 1, parked: 2 });
    expect(await service.ledger()).toEqual(['z:2']);
    expect((await letters())[0]?.error?.message).toContain('was read again (offset 0');
  });

  it('H8: no drop slips between a unit’s look at the inbox and its verdict', async () => {
    const id = newEventId(daysAgo(17));
    await makeDayAgo(17);
    await arrive({ offset: 0, id });
    const dropper = await service.database.client();
    await dropper.query('begin');
    await forgetDay(dropper, dayAgo(17));
    const unit = arrive({ offset: 1, id, replay: true });
    await settled('the unit waits for the drop', async () => {
      const waiting = await service.rows(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waiting.length === 1;
    });
    await dropper.query('commit');
    expect(await unit).toMatchObject({ applied: 0, parked: 1 });
    expect(await service.ledger()).toEqual(['a:0']);
  });

  it('a unit of young first deliveries asks for no mark', async () => {
    await service.pool.query('alter table aura.inbox_low_water rename to hidden');
    expect(await arrive({ offset: 0, id: idOf(0.4) })).toMatchObject({ applied: 1 });
    await service.pool.query('alter table aura.hidden rename to inbox_low_water');
  });
});

describe('the upkeep of the inbox', () => {
  it('H50: a day whose ids already lie in the DEFAULT partition stays there', async () => {
    const id = idOf(0);
    expect(await arrive({ offset: 0, id })).toMatchObject({ applied: 1 });
    await upkeep.ready();
    expect((await partitions(service.pool)).names).not.toContain(dayAgo(0).name);
    expect((await partitions(service.pool)).names).toContain(dayAgo(-1).name);
    expect(await arrive({ offset: 1, id })).toMatchObject({ applied: 0, duplicates: 1 });
  });

  it('a unit under way is not waited for: the day is forgotten later, in sight', async () => {
    await upkeep.ready();
    await makeDayAgo(20);
    const unit = await service.database.client();
    await unit.query(
      `begin; insert into aura.inbox (consumer_group, event_id) values ('other', '${idOf(0)}')`,
    );
    expect(await upkeep.runOnce()).toEqual({ afterMs: 60_000 });
    const codes = (await inboxFindings(service.pool, RETENTION_DAYS)).map(({ code, subject }) => [
      code,
      subject,
    ]);
    expect(codes).toEqual([['inbox-retention-stuck', `aura.${dayAgo(20).name}`]]);
    await unit.query('rollback');
    await upkeep.runOnce();
    expect(await inboxFindings(service.pool, RETENTION_DAYS)).toEqual([]);
  });

  it('days that are missing soon are found', async () => {
    expect((await inboxFindings(service.pool)).map(({ code }) => code)).toEqual(
      Array(3).fill('inbox-day-missing'),
    );
    await upkeep.ready();
    expect(await inboxFindings(service.pool)).toEqual([]);
  });
});

describe.each(testLogs())('the consumer over $kind', ({ open }) => {
  it('H41, H8: an old backlog is applied; read again after it was forgotten, it is parked', async () => {
    const testLog = await open();
    const { log } = testLog;
    const { events, pool } = service;
    await pool.query('delete from aura.consumer_offset');
    await log.createTopics([{ name: events.topic, partitions: 2 }]);
    const backlog = [30, 25, 21, 15].map((days, n) => events.record({ key: `k${n}`, n, id: idOf(days) }));
    await log.append(backlog);
    const consumer = service.consumer(log, [events.noting()], { inboxRetentionDays: RETENTION_DAYS });
    await consumer.start();
    await settled('all of it is applied', async () => (await service.ledger()).length === 4);
    await consumer.stop();
    expect(await letters()).toEqual([]);

    await pool.query(`update aura.inbox_default set arrived_at = now() - interval '15 days'`);
    await upkeep.runOnce();
    const targets = [0, 1].map((partition) => ({ partition, offset: 0n }));
    await movePartitions(pool, events.group, events.topic, targets);
    const again = service.consumer(log, [events.noting()]);
    await again.start();
    await settled('all of it is parked', async () => (await letters()).length === 4);
    await again.stop();
    expect((await letters()).every(({ error }) => error?.name === 'TooOldToJudgeError')).toBe(true);
    expect(await service.ledger()).toHaveLength(4);
    await testLog.close();
  });
});
