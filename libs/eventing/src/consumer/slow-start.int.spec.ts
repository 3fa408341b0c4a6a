import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { postgresLog } from '@aura/event-log';
import { settled, testDatabase } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { bundle } from '../../test/bundle.js';
import { byKey, consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { listParked } from '../letters/letter-list.js';

let base: ServiceFixture;
let service: ConsumerFixture;
beforeAll(async () => {
  base = await ledgerService();
});
afterAll(() => base.close());
beforeEach(async () => {
  service = await consumerFixture(base);
});
afterEach(() => service.stop());

const keyAt = (n: number): string => `k${String(n).padStart(2, '0')}`;
const newLog = (): HandDrivenLog =>
  new HandDrivenLog([0, 1].map((partition) => ({ partition, first: 0n, end: 0n })));

it('H21, H49: the event that ends its process is parked at its third start, by another replica', async () => {
  const logDatabase = await testDatabase('dying_log');
  const log = postgresLog({ url: logDatabase.url });
  const main = await bundle('dying-process.ts');
  const { events } = service;
  try {
    await log.createTopics([{ name: events.topic, partitions: 2 }]);
    const keys = ['a', 'b', 'c', 'd'];
    const published = Array.from({ length: 40 }, (_, n) => events.record({ key: keys[n % 4] ?? '', n }));
    expect((await log.append(published)).failed).toEqual([]);
    const args = [main.path, base.database.url, logDatabase.url, events.service, events.group, '17'];
    let deaths = 0;
    // Each is another replica: the one that parks it lives.
    for (;;) {
      const replica = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
      const ended = once(replica, 'exit').then(() => 'died' as const);
      const gone = settled(
        'all is applied or parked',
        async () => {
          const [waiting, parked] = [await service.ledger(), await listParked(service.pool, events.group)];
          return parked.length === 1 && waiting.length + 1 + (parked[0]?.waiting ?? 0) === 40;
        },
        { withinMs: 60_000 },
      );
      const end = await Promise.race([ended, gone.then(() => 'done' as const)]);
      void gone.catch(() => undefined);
      if (end === 'died' && ++deaths < 10) continue;
      replica.kill('SIGKILL');
      await ended;
      break;
    }
    // At full speed, in a unit that was noted, and twice alone.
    expect(deaths).toBeGreaterThanOrEqual(3);
    expect(deaths).toBeLessThanOrEqual(4);
    const [parked, ...others] = await listParked(service.pool, events.group);
    expect(others).toEqual([]);
    expect(parked).toMatchObject({ key: 'b', state: 'dead', error: { name: 'EndedProcessError' } });
    expect(parked?.error?.message).toContain('ended its process 2 times');
    const ledger = byKey(await service.ledger());
    for (const key of ['a', 'c', 'd']) expect(ledger[key]).toHaveLength(10);
    expect(ledger['b']).toEqual([1, 5, 9, 13]);
  } finally {
    await main.remove();
    await log.close();
    await logDatabase.drop();
  }
}, 120_000);

/** Assigned, and never heard of again: nothing is released. */
async function abandoned(): Promise<void> {
  const log = newLog();
  await service.consumer(log.port, [service.events.noting()]).start();
  await log.assign(service.events.topic, 0);
}

it('H21: what a lost owner had goes in units of 1, 2, 4, noted first; others are not slowed', async () => {
  const { events } = service;
  const size: number[] = [];
  const seen: string[] = [];
  const records = Array.from({ length: 12 }, (_, n) => at(0, n, events.record({ key: keyAt(n), n })));
  await abandoned();
  // The log has these, and the lost owner may have had them under way.
  const backlog = new HandDrivenLog([
    { partition: 0, first: 0n, end: 12n },
    { partition: 1, first: 0n, end: 0n },
  ]);
  const noting = events.noting(async ({ key }) => {
    const [row] = await service.rows<{ starts: number; n: string }>(
      `select starts, started_until - started_offset as n from aura.consumer_offset where partition = 0`,
    );
    seen.push(`${key} ${row?.starts}/${row?.n}`);
  });
  await service.consumer(backlog.port, [noting]).start();
  await backlog.assign(events.topic, 0, 1);
  const healthy = [0, 1, 2].map((n) => at(1, n, events.record({ key: 'h', n: 100 + n })));
  for (let left = records; left.length > 0;) {
    const first = left.length === records.length;
    const moved = await backlog.deliver(first ? [...left, ...healthy] : left);
    const next = moved.find(({ partition }) => partition === 0)?.offset ?? 0n;
    size.push(left.filter(({ offset }) => offset < next).length);
    left = left.filter(({ offset }) => offset >= next);
    // All of the healthy partition in the first call.
    expect(await service.offsets()).toMatchObject({ 1: 3 });
  }
  expect(size).toEqual([1, 2, 4, 5]);
  expect(seen.filter((line) => !line.startsWith('h'))).toEqual(
    [1, 2, 2, 4, 4, 4, 4, 5, 5, 5, 5, 5].map((n, i) => `${keyAt(i)} 1/${n}`),
  );
  // Over: what comes later goes at full speed, unnoted.
  const later = [12, 13, 14].map((n) => at(0, n, events.record({ key: 'later', n })));
  expect(await backlog.deliver(later)).toMatchObject([{ offset: 15n }]);
  expect(seen.at(-1)).toBe('later 0/null');
});

it('H21: a start that its process lived through is not counted', async () => {
  const { events } = service;
  await abandoned();
  const log = new HandDrivenLog([{ partition: 0, first: 0n, end: 1n }]);
  const record = at(0, 0, events.record({ key: 'a', n: 1 }));
  for (let life = 0; life < 4; life++) {
    const member = new HandDrivenLog([{ partition: 0, first: 0n, end: 1n }]);
    const slow = events.noting(async () => {
      // Somebody else takes the partition while it is handled.
      await service.pool.query(`update aura.consumer_offset set epoch = epoch + 1, owner = 'another'`);
    });
    await service.consumer(member.port, [slow]).start();
    await member.assign(events.topic, 0);
    expect(await member.deliver([record])).toEqual([]);
  }
  await service.consumer(log.port, [events.noting()]).start();
  await log.assign(events.topic, 0);
  await log.deliver([record]);
  expect(await service.ledger()).toEqual(['a:1']);
  expect(await listParked(service.pool, events.group)).toEqual([]);
});

it('H21: what was released in good order is taken over at full speed', async () => {
  const { events } = service;
  const log = newLog();
  const first = service.consumer(log.port, [events.noting()]);
  await first.start();
  await log.assign(events.topic, 0);
  await log.options.onRevoked([{ topic: events.topic, partition: 0 }], true);
  const next = new HandDrivenLog([{ partition: 0, first: 0n, end: 9n }]);
  await service.consumer(next.port, [events.noting()]).start();
  await next.assign(events.topic, 0);
  const records = [0, 1, 2].map((n) => at(0, n, events.record({ key: 'a', n })));
  expect(await next.deliver(records)).toMatchObject([{ offset: 3n }]);
});
