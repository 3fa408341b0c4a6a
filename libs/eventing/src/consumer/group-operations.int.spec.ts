import type { EventLog } from '@aura/event-log';
import { ConflictError, TerminalError } from '@aura/platform';
import { settled } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  consumerFixture,
  ledgerService,
  testLogs,
  type ConsumerFixture,
  type TestLog,
} from '../../test/consumer-fixture.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import type { Change, MoveTarget } from '../operations/operations.js';
import { groupFindings } from '../operations/group-findings.js';
import type { Consumer } from './consumer.js';
import { ServiceGroup } from './group-operations.js';
import { ForgottenGroupError } from './place-check.js';

const change: Change = { reason: 'read again what was lost', by: 'anna', dryRun: false };
const dry: Change = { ...change, dryRun: true };

describe.each(testLogs())('a group and its operator over $kind', ({ open }) => {
  let service: ServiceFixture;
  let test: TestLog;
  let log: EventLog;
  let fixture: ConsumerFixture;
  let consumer: Consumer;
  let groups: ServiceGroup;
  let topic: string;
  beforeAll(async () => {
    [service, test] = await Promise.all([ledgerService(), open()]);
    log = test.log;
  });
  beforeEach(async () => {
    fixture = await consumerFixture(service);
    await service.pool.query('truncate aura.operation, aura.group_pause');
    const { events, units } = fixture;
    topic = events.topic;
    await log.createTopics([{ name: topic, partitions: 2 }]);
    consumer = fixture.consumer(log, [events.noting()]);
    const { group } = events;
    groups = new ServiceGroup({ group, topics: [topic], units, log, consumer: () => consumer });
    await log.append([1, 2, 3].map((n) => events.record({ key: 'anna', n })));
    await consumer.start();
    await settled('applied', async () => (await fixture.ledger()).length === 3);
  });
  afterEach(() => fixture.stop());
  afterAll(async () => {
    await test?.close();
    await service?.close();
  });

  const append = (n: number) => log.append([fixture.events.record({ key: 'anna', n })]);
  const notes = () => service.rows<{ what: string; by: string }>('select what, by from aura.operation');
  const rows = () =>
    service.rows('select partition, next_offset, epoch from aura.consumer_offset order by 1');

  it('is shown with its place in the log, and who has each partition', async () => {
    await settled('saved', async () => Object.values(await fixture.offsets()).includes(3));
    const { paused, partitions } = await groups.state();
    expect(paused).toBeUndefined();
    expect(partitions.map(({ partition, released }) => [partition, released])).toEqual([
      [0, false],
      [1, false],
    ]);
    const used = partitions.find(({ end }) => end === 3n);
    expect(used).toMatchObject({ topic, nextOffset: 3n, first: 0n, stalled: undefined });
  });

  it('O2: a dry move tells from where to where, and changes nothing', async () => {
    const before = await rows();
    const moves = await groups.move({ topic }, { to: 'first' }, dry);
    expect(moves.map(({ partition, target }) => [partition, target])).toEqual([
      [0, 0n],
      [1, 0n],
    ]);
    expect(await rows()).toEqual(before);
    expect(await notes()).toEqual([]);
  });

  it('E7, O1: moved back it reads again, applies nothing twice, and goes on with what is new', async () => {
    await groups.move({ topic }, { to: 'first' }, change);
    await append(4);
    await settled('applied', async () => (await fixture.ledger()).length === 4);
    expect(await fixture.ledger()).toEqual(['anna:1', 'anna:2', 'anna:3', 'anna:4']);
    expect(await notes()).toEqual([{ what: 'groups move', by: 'anna' }]);
  });

  it('E10: a position outside of the log is named with the move that mends it', async () => {
    await consumer.stop();
    await service.pool.query('update aura.consumer_offset set next_offset = 99 where partition = 0');
    const again = fixture.consumer(log, [fixture.events.noting()]);
    consumer = again;
    await again.start();
    await settled('stands still', () => again.status().stalledPartitions.length > 0);
    const { partitions } = await groups.state();
    expect(partitions.find(({ partition }) => partition === 0)?.stalled?.words).toContain('99');
    const found = await groupFindings(groups).findings();
    expect(found[0]).toMatchObject({ code: 'position-beyond-end', severity: 'alarm', subject: `${topic}/0` });
    expect(found[0]?.command).toBe(`groups move --topic ${topic} --partition 0 --to first --reason "…"`);
    await groups.move({ topic }, { to: 'first' }, change);
    await append(4);
    await settled('applied', async () => (await fixture.ledger()).length === 4);
    expect(await groupFindings(groups).findings()).toEqual([]);
  });

  it('E10: a partition that the database has forgotten is shown, and named with its move', async () => {
    await consumer.stop();
    await service.pool.query('delete from aura.consumer_offset where partition = 1');
    const { group } = fixture.events;
    const at = { topic, partition: 1 };
    const stalledPartitions = [{ ...at, error: new ForgottenGroupError(group, at, 'it was there', 0n) }];
    const member = { status: () => ({ ...consumer.status(), stalledPartitions }), nudge: () => undefined };
    const { units } = fixture;
    const forgetful = new ServiceGroup({ group, topics: [topic], units, log, consumer: () => member });
    expect((await forgetful.state()).partitions).toContainEqual(
      expect.objectContaining({
        ...at,
        nextOffset: undefined,
        stalled: { code: 'group-forgotten', words: expect.stringContaining('it was there') },
      }),
    );
    const [finding] = await groupFindings(forgetful).findings();
    expect(finding?.command).toBe(`groups move --topic ${topic} --partition 1 --to first --reason "…"`);
  });

  it('moved back after its inbox was lost it applies what it had forgotten', async () => {
    await service.pool.query('delete from aura.inbox');
    await service.pool.query('update aura.consumer_offset set high_water = 0');
    await groups.move({ topic }, { to: 'time', time: new Date(0) }, change);
    await settled('applied again', async () => (await fixture.ledger()).length === 6);
  });

  it.each<[string, { partition?: number }, MoveTarget]>([
    ['an offset behind the end', {}, { to: 'offset', offset: 99n }],
    ['a partition that is not there', { partition: 7 }, { to: 'end' }],
  ])('%s is refused for good, and nothing is changed', async (_, where, target) => {
    const before = await rows();
    await expect(groups.move({ topic, ...where }, target, change)).rejects.toBeInstanceOf(TerminalError);
    expect(await rows()).toEqual(before);
    expect(await notes()).toEqual([]);
  });

  it('a topic that it does not read is refused, though it is there: nobody would ever be there', async () => {
    const other = `${topic}.others`;
    await log.createTopics([{ name: other, partitions: 1 }]);
    await expect(groups.move({ topic: other }, { to: 'end' }, change)).rejects.toBeInstanceOf(TerminalError);
    expect(await notes()).toEqual([]);
  });

  it('O1: paused it stands still with the reason in sight, resumed it goes on where it stood', async () => {
    await groups.pause(dry);
    expect((await groups.state()).paused).toBeUndefined();
    await groups.pause(change);
    await settled('stands still', async () => consumer.status().paused !== undefined);
    await expect(groups.pause(change)).rejects.toBeInstanceOf(ConflictError);
    await append(4);
    const { paused, partitions } = await groups.state();
    expect(paused).toMatchObject({ by: 'anna', reason: change.reason });
    expect(partitions.map(({ stalled }) => stalled)).toEqual([undefined, undefined]); // once is enough
    expect(await fixture.ledger()).toHaveLength(3);
    await groups.resume(change);
    await settled('applied', async () => (await fixture.ledger()).length === 4);
    await expect(groups.resume(change)).rejects.toBeInstanceOf(ConflictError);
    expect((await notes()).map(({ what }) => what)).toEqual(['groups pause', 'groups resume']);
  });
});
