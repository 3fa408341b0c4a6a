import { afterAll, beforeAll, expect, it } from 'vitest';
import { consumerFixture, ledgerService } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import type { ServiceFixture } from '../../test/service-fixture.js';

/** Few: it is a look at the order of magnitude, not a benchmark. */
const UNITS = 2;

let base: ServiceFixture;
beforeAll(async () => {
  base = await ledgerService();
});
afterAll(() => base.close());

it.each(['each', 'set'] as const)('prints events per second with a handler of mode %s', async (mode) => {
  const service = await consumerFixture(base);
  const { events } = service;
  const log = new HandDrivenLog([{ partition: 0, first: 0n, end: 0n }]);
  await service.consumer(log.port, [mode === 'set' ? events.notingSets() : events.noting()]).start();
  await log.assign(events.topic, 0);
  const units = Array.from({ length: UNITS }, (_, unit) =>
    Array.from({ length: 500 }, (__, i) =>
      at(0, 500 * unit + i, events.record({ key: `k${i % 100}`, n: 5 * unit + Math.floor(i / 100) })),
    ),
  );
  const begun = performance.now();
  for (const unit of units) await log.deliver(unit);
  const perSecond = Math.round((UNITS * 500) / ((performance.now() - begun) / 1_000));
  console.log(`[throughput] ${mode}: ${perSecond} events/s in units of 500, one member, one connection`);
  expect(await service.ledger()).toHaveLength(UNITS * 500);
  await service.stop();
});
