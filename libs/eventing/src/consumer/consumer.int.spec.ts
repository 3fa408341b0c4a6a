import { settled } from '@aura/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  consumerFixture,
  noting,
  postgresTestLog,
  type ConsumerFixture,
  type TestLog,
} from '../../test/consumer-fixture.js';
import { listParked, type Consumer, type ConsumerOptions, type EventHandler } from '../index.js';

describe('the consumer, over the Postgres log', () => {
  let testLog: TestLog;
  let service: ConsumerFixture;
  const running: Consumer[] = [];

  beforeEach(async () => {
    testLog = await postgresTestLog();
    service = await consumerFixture(testLog.log);
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((consumer) => consumer.stop()));
    await service.close();
    await testLog.close();
  });

  const start = async (handlers: EventHandler[], options?: Partial<ConsumerOptions>): Promise<Consumer> => {
    const consumer = service.consumer(handlers, options);
    running.push(consumer);
    await consumer.start();
    return consumer;
  };
  const ledgerOf = (count: number): Promise<string[]> =>
    settled(`${count} effects`, async () => {
      const ledger = await service.ledger();
      return ledger.length >= count ? ledger : undefined;
    });

  it('E2, E3: applies each event once, in the order of its key, and saves where it stands', async () => {
    const keys = ['a', 'b', 'c', 'd'];
    await service.publish(Array.from({ length: 40 }, (_, i) => ({ key: keys[i % 4] ?? 'a', n: i })));
    await start([noting()]);
    const ledger = await ledgerOf(40);
    for (const [at, key] of keys.entries())
      expect(ledger.filter((entry) => entry.startsWith(`${key}:`))).toEqual(
        Array.from({ length: 10 }, (_, i) => `${key}:${4 * i + at}`),
      );
    const ends = Object.values(await service.offsets()).reduce((sum, offset) => sum + offset, 0);
    expect(ends).toBe(40);
  });

  it('E6: a TypeError in a handler stops nobody but its key, which waits in sight behind it, in order', async () => {
    const broken = noting((n) => {
      if (n === 7) (undefined as unknown as { f(): void }).f();
    });
    const keys = ['a', 'b', 'c'];
    await service.publish(Array.from({ length: 30 }, (_, i) => ({ key: keys[i % 3] ?? 'a', n: i })));
    await start([broken]);
    await ledgerOf(22);
    const [parked, ...others] = await settled('the rest of the key', async () => {
      const list = await listParked(service.pool, 'shop');
      return list[0]?.waiting === 7 ? list : undefined;
    });
    expect(others).toEqual([]);
    expect(parked).toMatchObject({
      key: 'b',
      state: 'retrying',
      attempts: 1,
      type: 'spec.Counted',
      waiting: 7,
    });
    expect(parked?.error).toMatchObject({ name: 'TypeError' });
    expect(parked?.error?.stack).toContain('consumer.int.spec');
    expect(await service.ledger()).toHaveLength(22);
  });
});
