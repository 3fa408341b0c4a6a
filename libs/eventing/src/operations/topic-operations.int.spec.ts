import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { testLogs, type TestLog } from '../../test/consumer-fixture.js';
import { serviceFixture, type ServiceFixture } from '../../test/service-fixture.js';
import { ServiceTopic } from './topic-operations.js';

const wanted = { partitions: 4, replicationFactor: 1 };
const change = { reason: 'first rollout', by: 'anna', dryRun: false };

describe.each(testLogs())('topics apply over $kind', ({ kind, open }) => {
  let service: ServiceFixture;
  let test: TestLog;
  let topic: string;
  let topics: ServiceTopic;
  beforeAll(async () => {
    [service, test] = await Promise.all([serviceFixture(), open()]);
  });
  beforeEach(() => {
    topic = `shop_${randomBytes(6).toString('hex')}.events`;
    topics = new ServiceTopic({ topic, log: test.log, pool: service.pool });
  });
  afterEach(() => service.pool.query('truncate aura.operation'));
  afterAll(async () => {
    await test?.close();
    await service?.close();
  });

  const notes = () => service.rows('select what, subject, reason, by from aura.operation');

  it('O2: a dry run says what it would make, and makes nothing', async () => {
    const [plan] = await topics.apply(wanted, { ...change, dryRun: true });
    expect(plan).toMatchObject({ name: topic, action: 'create' });
    expect(plan?.words).toContain(kind === 'kafka' ? '4 partitions, replication 1' : '4 partitions');
    expect(await test.log.describe([topic])).toEqual([]);
    expect(await notes()).toEqual([]);
  });

  it('O1: it makes the topic where it is missing, and notes who wanted it and why', async () => {
    const [plan] = await topics.apply(wanted, change);
    expect(plan?.action).toBe('create');
    expect(await test.log.describe([topic])).toEqual([{ name: topic, partitions: 4 }]);
    const subject = { topic, partitions: 4, replicationFactor: 1 };
    expect(await notes()).toEqual([{ what: 'topics apply', subject, reason: 'first rollout', by: 'anna' }]);
  });

  it('H30: never changes the partitions of one that is there, and says that they differ', async () => {
    await test.log.createTopics([{ name: topic, partitions: 2 }]);
    const [plan] = await topics.apply(wanted, change);
    expect(plan?.action).toBe('differs');
    expect(plan?.words).toContain('2 partitions, not 4');
    expect(await test.log.describe([topic])).toEqual([{ name: topic, partitions: 2 }]);
    expect(await notes()).toEqual([]);
  });

  it('O1: nothing is noted of a topic that the log did not take', async () => {
    const refused = new ServiceTopic({ topic: 'no name', log: test.log, pool: service.pool });
    await expect(refused.apply(wanted, change)).rejects.toThrow();
    expect(await notes()).toEqual([]);
  });
});
