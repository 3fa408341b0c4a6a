import { settled } from '@aura/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { byKey, consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import { letterFixture } from '../../test/letter-fixture.js';
import type { ServiceFixture } from '../../test/service-fixture.js';

let base: ServiceFixture;
let service: ConsumerFixture;
beforeAll(async () => {
  base = await ledgerService();
  await base.pool.query(`create table account (key text primary key); insert into account values ('a')`);
});
afterAll(() => base.close());

it('H19: a row that somebody holds stops its key, and nobody else; then the key goes on', async () => {
  service = await consumerFixture(base);
  const log = new HandDrivenLog([{ partition: 0, first: 0n, end: 0n }]);
  const letters = letterFixture(service, log);
  const locking = service.events.noting(async ({ key }, work) => {
    await work.manager.query(`set local lock_timeout = '10ms'`);
    await work.manager.query('select 1 from account where key = $1 for update', [key]);
  });
  const holder = await base.pool.connect();
  const redriver = letters.redriver(
    [locking],
    { limits: { maxAttempts: 1_000, initialBackoffMs: 10, maxBackoffMs: 50 } },
    { idleMs: 20 },
  );
  let offset = 0;
  const arrive = (key: string, n: number) => at(0, offset++, service.events.record({ key, n }));
  try {
    await holder.query(`begin; select 1 from account where key = 'a' for update`);
    const consumer = service.consumer(log.port, [locking]);
    await consumer.start();
    await log.assign(service.events.topic, 0);
    await log.deliver([arrive('b', 1), arrive('a', 1), arrive('c', 1)]);
    redriver.start();
    const failures = async () => (await letters.parked())[0]?.attempts ?? 0;
    for (let n = 2; n <= 4; n++) {
      const before = await failures();
      await log.deliver([arrive('a', n), arrive('b', n), arrive('c', n)]);
      // All that is not of the key has been applied while its attempts go on failing.
      expect(byKey(await service.ledger())).toMatchObject({
        b: Array.from({ length: n }, (_, i) => i + 1),
        c: Array.from({ length: n }, (_, i) => i + 1),
      });
      await settled('the key was tried again', async () => (await failures()) > before);
    }
    expect(await letters.parked()).toMatchObject([{ key: 'a', state: 'retrying', waiting: 3 }]);
    expect(await service.offsets()).toEqual({ 0: offset });
    await holder.query('commit');
    await settled('the key is free', async () => (await letters.parked()).length === 0);
    expect(byKey(await service.ledger())).toMatchObject({ a: [1, 2, 3, 4] });
  } finally {
    await redriver.stop();
    holder.release(true);
    await service.stop();
  }
}, 60_000);
