import { kafkaLog, partitionOf, type EventLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestKafka } from '../../../../tools/infra/kafka.mjs';
import {
  byKey,
  consumerFixture,
  ledgerService,
  type ConsumerFixture,
  type EventToPublish,
} from '../../test/consumer-fixture.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import type { SetHandler } from './handlers.js';

/**
 * By partition. kafkajs asks each broker in a loop of its own: while a unit of what the first broker leads is
 * under way, it goes on asking the second one.
 */
const LEADERS = [1, 1, 2];
/** Has no records, so that nothing of it is ever under way; it moves to the first broker. */
const IDLE = 2;
/** The second member has only this: whoever has the idle one, too, must rejoin after the change. */
const TAKEN = 1;
const KEYS = 'abcdefghijklmnop'.split('').filter((key) => partitionOf(key, LEADERS.length) !== IDLE);
const WAIT = { withinMs: 60_000 };
/**
 * The heartbeat, a sixth of this, does not come during the test. One that met the rebalance before a fetch
 * met the moved leader would end all fetching, and the member would rejoin after its unit: the good case, of
 * which there is nothing to see here.
 */
const SILENT = { sessionTimeoutMs: 1_500_000 };

const numbered = (from: number, to: number): EventToPublish[] =>
  Array.from({ length: to - from }, (_, i) => ({ key: KEYS[(from + i) % KEYS.length] ?? '', n: from + i }));
const entry = ({ key, n }: EventToPublish): string => `${key}:${n}`;
const isTaken = ({ key }: EventToPublish): boolean => partitionOf(key, LEADERS.length) === TAKEN;

describe.skipIf(!process.env['KAFKA_BROKERS'])('two brokers', { timeout: 240_000 }, () => {
  let kafka: Awaited<ReturnType<typeof startTestKafka>>;
  let admin: Admin;
  /** Of the two members; their ids in the group begin with these. */
  let logs: Record<'a' | 'b', EventLog>;
  let base: ServiceFixture;
  let service: ConsumerFixture;

  beforeAll(async () => {
    kafka = await startTestKafka({ registry: false, brokers: 2 });
    const brokers = kafka.brokers.split(',');
    const open = (clientId: string): EventLog => kafkaLog({ brokers, clientId, logger: silentLogger });
    logs = { a: open('a'), b: open('b') };
    admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    base = await ledgerService();
    service = await consumerFixture(base);
  }, 240_000);
  afterAll(async () => {
    await service?.stop();
    await Promise.all(Object.values(logs ?? {}).map((log) => log.close()));
    await admin?.disconnect();
    await base?.close();
    await kafka?.stop();
  });

  /** kafkajs's own wait for the leaders fails where the broker that it asks doesn't know the topic yet. */
  const createTopic = async (topic: string): Promise<void> => {
    const replicaAssignment = LEADERS.map((leader, partition) => ({ partition, replicas: [leader] }));
    await admin.createTopics({ topics: [{ topic, replicaAssignment }], waitForLeaders: false });
    await settled('it is served', async () => (await logs.a.bounds(topic)).length === LEADERS.length, WAIT);
  };
  const publish = async (events: readonly EventToPublish[]): Promise<void> => {
    const { failed } = await logs.a.append(events.map((event) => service.events.record(event)));
    expect(failed).toEqual([]);
  };
  const groupIs = async (state: string): Promise<boolean> => {
    const { groups } = await admin.describeGroups([service.events.group]);
    return groups[0]?.state === state;
  };
  const changeMetadata = (topic: string): Promise<void> =>
    admin.alterPartitionReassignments({
      topics: [{ topic, partitionAssignment: [{ partition: IDLE, replicas: [1] }] }],
    });
  const ownedBy = async (instance: string): Promise<number[]> => {
    const sql = `select partition from aura.consumer_offset where owner like $1 || '/%' order by partition`;
    return (await service.rows<{ partition: number }>(sql, [instance])).map(({ partition }) => partition);
  };
  const reached = async (): Promise<number> =>
    Object.values(await service.offsets()).reduce((sum, offset) => sum + offset, 0);

  it('H46: a metadata change makes a member rejoin in its unit: two owners, each effect once', async () => {
    const { events } = service;
    const { topic } = events;
    await createTopic(topic);
    const [before, meanwhile] = [numbered(0, 40), numbered(40, 80)];
    const all = [...before, ...meanwhile];
    await publish(before);

    let underWay = 0;
    const mayEnd = Promise.withResolvers<void>();
    const noting = events.notingSets();
    const slow: SetHandler = {
      ...noting,
      async handle(set, work) {
        underWay = set.length;
        await mayEnd.promise;
        await noting.handle(set, work);
      },
    };
    const doneBySecond: string[] = [];
    const first = service.consumer(logs.a, [slow], { instance: 'first', limits: SILENT });
    const second = service.consumer(logs.b, [events.noting((event) => doneBySecond.push(entry(event)))], {
      instance: 'second',
    });
    try {
      await first.start();
      await settled('the first has a unit of all', () => underWay === before.length, WAIT);
      await second.start();
      await settled('the second asks to be let in', () => groupIs('PreparingRebalance'), WAIT);
      await changeMetadata(topic);
      await settled('two owners', async () => (await ownedBy('second')).length > 0, WAIT);
      expect(await ownedBy('second')).toEqual([TAKEN]);
      expect(await service.ledger()).toEqual([]);
      await publish(meanwhile);
      mayEnd.resolve();
      await settled('the group has caught up', async () => (await reached()) === all.length, WAIT);
    } finally {
      mayEnd.resolve();
    }
    // P2: nothing of it was the first's to do.
    expect(byKey(doneBySecond)).toEqual(byKey(all.filter(isTaken).map(entry)));
    expect(byKey(await service.ledger())).toEqual(byKey(all.map(entry)));
  });
});
