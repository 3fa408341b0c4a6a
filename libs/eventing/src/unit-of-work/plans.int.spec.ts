import { Contracts } from '@aura/contracts';
import { postgresLog, type EventLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { MemoryRegistry } from '../../test/outbox-kit.js';
import { Counted, serviceFixture, type ServiceFixture } from '../../test/service-fixture.js';
import { Eventing } from '../eventing.js';

let service: ServiceFixture;
let log: EventLog;
let eventing: Eventing;
beforeAll(async () => {
  service = await serviceFixture();
  log = postgresLog({ url: service.database.url });
  eventing = new Eventing({
    service: 'spec',
    dataSource: service.dataSource,
    databaseUrl: service.database.url,
    log,
    registry: new MemoryRegistry(),
    contracts: new Contracts({ publishes: [Counted], subscribes: [] }),
    logger: silentLogger,
  });
});
afterAll(async () => {
  await log.close();
  await service.close();
});
afterEach(() => vi.restoreAllMocks());

const inUnit = () => eventing.units.run((work) => work.manager.query('select 1'));
const alone = () => eventing.pool.query('select 1');

it.each([
  ['a unit', inUnit, 24],
  ['a statement by itself', alone, 48],
])('plans of a connection that has grown old are thrown away before %s', async (_, use, hours) => {
  await use();
  const sent = vi.spyOn(Client.prototype, 'query');
  const texts = (): unknown[] => sent.mock.calls.map(([sql]) => sql).filter((sql) => sql !== undefined);
  await use();
  expect(texts()).not.toContain('DISCARD PLANS');
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + hours * 3_600_000);
  sent.mockClear();
  await use();
  expect(texts()[0]).toBe('DISCARD PLANS');
  expect(texts().filter((sql) => sql === 'DISCARD PLANS')).toHaveLength(1);
});
