import { Contracts } from '@aura/contracts';
import { postgresLog, type EventLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryRegistry } from '../../test/outbox-kit.js';
import { Counted, serviceFixture, type ServiceFixture } from '../../test/service-fixture.js';
import { Eventing, type EventingOptions } from '../eventing.js';
import { OutboxFullError } from './budget.js';
import { DAYS_LOCK, LOCK_SPACE } from './lock-session.js';

let service: ServiceFixture;
let log: EventLog;
let eventing: Eventing;
beforeEach(async () => {
  service = await serviceFixture();
  await service.pool.query('drop table aura.outbox_any_day');
  log = postgresLog({ url: service.database.url });
});
afterEach(async () => {
  await eventing.stopPublishing();
  await log.close();
  await service.close();
});

async function prepared(options: Partial<EventingOptions> = {}): Promise<void> {
  eventing = new Eventing({
    service: 'spec',
    dataSource: service.dataSource,
    databaseUrl: service.database.url,
    log,
    registry: new MemoryRegistry(),
    contracts: new Contracts({ publishes: [Counted], subscribes: [] }),
    logger: silentLogger,
    ...options,
  });
  await eventing.prepare();
}
const codes = async (): Promise<string[]> => (await eventing.operations.doctor()).map(({ code }) => code);
const raise = (): Promise<unknown> =>
  eventing.units.run(async (work) => work.raise(Counted.of({ key: 'a', n: 1 })));

it('a service drops days past its retention by itself, and keeps all without one', async () => {
  await service.pool.query(
    `create table aura.outbox_20200101 partition of aura.outbox
     for values from ('2020-01-01 00:00:00+00') to ('2020-01-02 00:00:00+00')`,
  );
  const there = async (): Promise<boolean> =>
    (await service.rows(`select where to_regclass('aura.outbox_20200101') is not null`)).length > 0;
  await prepared();
  await eventing.stopPublishing();
  expect(await there()).toBe(true);
  await prepared({ outboxRetentionDays: 30 });
  await settled('the day is dropped', async () => !(await there()));
});

it('the doctor shows missing days and a full outbox; the service refuses new work', async () => {
  await prepared({ outboxBudget: { maxBytes: 1 } });
  expect(await codes()).not.toContain('outbox-day-missing');
  const other = await service.database.client(); // somebody keeps the days from being made
  await other.query('select pg_advisory_lock($1, $2)', [LOCK_SPACE, DAYS_LOCK]);
  const [tomorrow] = await service.rows<{ name: string }>(
    `select 'outbox_' || to_char((now() at time zone 'utc')::date + 1, 'YYYYMMDD') as name`,
  );
  await service.pool.query(`drop table aura.${tomorrow?.name}`);
  await raise();
  expect(await codes()).toEqual(
    expect.arrayContaining(['outbox-day-missing', 'outbox-full', 'inbox-day-missing']),
  );
  await expect(raise()).rejects.toThrow(OutboxFullError);
  expect(eventing.status().outbox.state).toBe('full');
});
