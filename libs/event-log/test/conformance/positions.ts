import { expect, it } from 'vitest';
import { settled } from '@aura/testing';
import { PositionOutOfRangeError, UnknownTopicError, type Subscription } from '../../src/index.js';
import { keyOf, Positions, takeAll } from './reader.js';
import { groupName, numbered, type Suite } from './suite.js';

export function positions(suite: Suite): void {
  it('seeks by offset: back, and over what was fetched', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 1);
    await log.append(numbered(topic, 20));
    const { reader, subscription } = await suite.member(log, { group: groupName(), topics: [topic] });
    await settled('all', () => reader.records.length === 20);
    subscription.seek({ topic, partition: 0, offset: 15n });
    await settled('from 15 again', () => reader.records.length === 25);
    expect(reader.records.slice(20).map((r) => r.offset)).toEqual([15n, 16n, 17n, 18n, 19n]);
  });

  it('L4: a seek during a unit wins over what the unit reports', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 1);
    await log.append(numbered(topic, 20));
    let seek: (() => void) | undefined;
    const { reader, subscription } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      maxRecords: 10,
      handle: (batches) => {
        seek?.();
        return takeAll(batches);
      },
      onAssigned: () => Promise.resolve([]),
    });
    await settled('the partition', () => subscription.assigned().length === 1);
    seek = () => {
      seek = undefined;
      subscription.seek({ topic, partition: 0, offset: 3n });
    };
    subscription.seek({ topic, partition: 0, offset: 0n });
    await settled('the end', () => reader.records.at(-1)?.offset === 19n);
    const units = reader.happened.flatMap((h) => (h.what === 'records' ? [h.records[0]?.offset] : []));
    expect(units.slice(0, 2)).toEqual([0n, 3n]);
  });

  it('seeks by time', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 1);
    await log.append(numbered(topic, 5));
    const from = await settled('the clock moved on', nextTick());
    await settled('and again', nextTick());
    await log.append(numbered(topic, 5, 16, 5));
    const { reader } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      onAssigned: async () => (await log.offsetsAt(topic, new Date(from))).map((p) => ({ topic, ...p })),
    });
    await settled('five', () => reader.records.length === 5);
    expect(reader.records.map((r) => r.value.toString())).toEqual(['5', '6', '7', '8', '9']);
  });

  it('pauses and resumes a partition; others flow', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    const first = [{ topic, partition: 0 }];
    const stored = new Positions();
    let member: Subscription | undefined;
    const { reader, subscription } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      positions: stored,
      onAssigned: (partitions) => {
        member?.pause(first); // a pause ends with its generation, and a busy broker may begin another
        return Promise.resolve(stored.of(partitions));
      },
    });
    member = subscription;
    await settled('the partitions', () => subscription.assigned().length === 2);
    subscription.pause(first);
    const { acknowledged } = await log.append(numbered(topic, 40));
    const size = (p: number): number => acknowledged.find((a) => a.partition === p)?.indexes.length ?? 0;
    await settled('the other', () => reader.records.length >= size(1));
    expect(reader.records.every((r) => r.partition === 1)).toBe(true);
    member = undefined;
    subscription.resume(first);
    await settled('both', () => reader.records.length === size(0) + size(1));
  });

  it('H6: a position that retention has passed is an error of its partition; others flow', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    const { acknowledged } = await log.append(numbered(topic, 60));
    await suite.harness.deleteBefore(topic, 0, 10n);
    const stored = new Positions();
    stored.move([{ topic, partition: 0, offset: 4n }]);
    const { reader, subscription } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      positions: stored,
    });
    const size = (p: number): number => acknowledged.find((a) => a.partition === p)?.indexes.length ?? 0;
    await settled('the alarm', () => reader.partitionErrors.length > 0);
    await settled('the other partition', () => reader.records.length >= size(1));
    await log.append(numbered(topic, 60));
    await settled('more of it', () => reader.records.length >= 2 * size(1));
    expect(reader.records.every((r) => r.partition === 1)).toBe(true);
    expect(reader.partitionErrors).toEqual([
      { partition: { topic, partition: 0 }, error: expect.any(PositionOutOfRangeError) },
    ]);
    expect(reader.partitionErrors[0]?.error).toMatchObject({
      position: { offset: 4n },
      bounds: { first: 10n },
    });
    expect(subscription.healthy()).toBe(true);
    subscription.seek({ topic, partition: 0, offset: 10n });
    await settled('it goes on where somebody says', () => reader.records.some((r) => r.partition === 0));
    expect(reader.records.find((r) => r.partition === 0)?.offset).toBe(10n);
  });

  it('H53: a position beyond the end is an error of its partition; others flow', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    await log.append(numbered(topic, 60));
    const stored = new Positions();
    stored.move([{ topic, partition: 1, offset: 100_000n }]);
    const { reader } = await suite.member(log, { group: groupName(), topics: [topic], positions: stored });
    await settled('the alarm', () => reader.partitionErrors.length > 0);
    await settled('the other partition', () => reader.records.length > 0);
    expect(reader.partitionErrors[0]?.partition).toEqual({ topic, partition: 1 });
    expect(reader.partitionErrors[0]?.error).toBeInstanceOf(PositionOutOfRangeError);
    expect(reader.records.every((r) => r.partition === 0)).toBe(true);
  });

  it('H6: retention that passes a reader on its way is noticed', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 1);
    // By fives, and no more than that at a time: what a reader has fetched already, retention can’t take from
    // it.
    for (let from = 0; from < 40; from += 5) await log.append(numbered(topic, 5, 16, from));
    const { reader, subscription } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      maxRecords: 5,
      maxBytes: 100,
      handle: async (batches) => {
        if (batches[0]?.records[0]?.offset === 5n) await suite.harness.deleteBefore(topic, 0, 30n);
        return takeAll(batches);
      },
      onAssigned: () => Promise.resolve([{ topic, partition: 0, offset: 0n }]),
    });
    const alarmed = await settled(
      'the alarm or a jump',
      () => reader.partitionErrors.length > 0 || reader.records.some((r) => r.offset >= 30n),
    );
    expect(alarmed).toBe(true);
    expect(reader.partitionErrors[0]?.error).toBeInstanceOf(PositionOutOfRangeError);
    expect(reader.partitionErrors.map((e) => keyOf(e.partition))).toEqual([`${topic}/0`]);
    expect(reader.records.every((r) => r.offset < 30n)).toBe(true);
    expect(subscription.assigned()).toHaveLength(1);
  });

  it('E10: a topic that is deleted is an error of its partitions; others flow', async () => {
    const log = suite.open();
    const [doomed, other] = [await suite.topic(log, 1), await suite.topic(log, 1)];
    await log.append([...numbered(doomed, 5), ...numbered(other, 5)]);
    const { reader } = await suite.member(log, { group: groupName(), topics: [doomed, other] });
    await settled('all', () => reader.records.length === 10);
    await suite.harness.deleteTopic(doomed);
    await settled('the alarm', () => reader.partitionErrors.length > 0, { withinMs: 40_000 });
    expect(reader.partitionErrors[0]?.partition).toEqual({ topic: doomed, partition: 0 });
    expect(reader.partitionErrors[0]?.error).toBeInstanceOf(UnknownTopicError);
    const appended = async (): Promise<boolean> =>
      (await log.append(numbered(other, 5, 16, 5))).failed.length === 0;
    await settled('appended', appended, { withinMs: 40_000 });
    const ofOther = (): number => reader.records.filter((r) => r.topic === other).length;
    await settled('the other topic', () => ofOther() >= 10, { withinMs: 40_000 });
  });

  it('E10: the log remembers where a group is, and knows nothing of others', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 3);
    const group = groupName();
    expect(await log.groupOffsets(group, topic)).toEqual([]);
    const { acknowledged } = await log.append(numbered(topic, 40, 1));
    const partition = acknowledged[0]?.partition;
    const { reader, subscription } = await suite.member(log, { group, topics: [topic] });
    await settled('all', () => reader.records.length === 40);
    await subscription.stop();
    expect(await log.groupOffsets(group, topic)).toEqual([{ partition, offset: 40n }]);
    expect(await suite.open().groupOffsets(group, topic)).toEqual([{ partition, offset: 40n }]);
    expect(await log.groupOffsets(groupName(), topic)).toEqual([]);
    expect(await log.groupOffsets(group, `unknown.${groupName()}`)).toEqual([]);
  });

  it('E10: it remembers a group while it runs', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 1);
    const group = groupName();
    await log.append(numbered(topic, 10));
    const { reader } = await suite.member(log, { group, topics: [topic] });
    await settled('all', () => reader.records.length === 10);
    const known = await settled('written down', async () => (await log.groupOffsets(group, topic))[0]);
    expect(known).toEqual({ partition: 0, offset: 10n });
  });
}

/** A time later than when this is called, once it has come. */
function nextTick(): () => number | undefined {
  const start = Date.now();
  return () => (Date.now() > start + 2 ? Date.now() : undefined);
}
