import { UnknownTopicError } from '@aura/event-log';
import { settled } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import type { ServiceFixture } from '../../test/service-fixture.js';

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

const limits = { initialBackoffMs: 5, maxBackoffMs: 50, saveSkippedMs: 20 };

/** A member that holds partition 0 and has read one record of it. */
async function member() {
  const log = new HandDrivenLog([{ partition: 0, first: 0n, end: 0n }]);
  const consumer = service.consumer(log.port, [service.events.noting()], { limits });
  await consumer.start();
  await log.assign(service.events.topic, 0);
  return { log, consumer };
}

it.each(['first', 'last'])(
  'E10: a vanished topic that is told %s, and taken away, is told until somebody holds it again',
  async (told) => {
    const at0 = { topic: service.events.topic, partition: 0 };
    const { log, consumer } = await member();
    await log.deliver([at(0, 0, service.events.record({ key: 'a', n: 1 }))]);
    const tell = () => log.options.onPartitionError(at0, new UnknownTopicError(at0.topic));
    if (told === 'first') tell();
    await log.options.onRevoked([at0], false);
    if (told === 'last') tell();
    const gone = [{ ...at0, error: { name: 'UnknownTopicError' } }];
    expect(consumer.status()).toMatchObject({ assigned: [], stalledPartitions: gone });

    const other = await member(); // the topic is back, and partition 0 somebody else's
    await settled('it is no longer told', () => consumer.status().stalledPartitions.length === 0);
    expect(other.consumer.status().stalledPartitions).toEqual([]);
  },
);

it('what was given back while it stood still for another reason is its next owner’s to tell', async () => {
  const at0 = { topic: service.events.topic, partition: 0 };
  const { log, consumer } = await member();
  log.options.onPartitionError(at0, new Error('retention has passed it'));
  expect(consumer.status().stalledPartitions).toHaveLength(1);
  await log.options.onRevoked([at0], true);
  expect(consumer.status().stalledPartitions).toEqual([]);
});
