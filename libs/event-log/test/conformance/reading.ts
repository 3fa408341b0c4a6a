import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { settled } from '@aura/testing';
import {
  PositionOutOfRangeError,
  UnknownTopicError,
  type EventLog,
  type LogRecord,
} from '../../src/index.js';
import { contents, numbered, record, type Suite } from './suite.js';

async function scanned(log: EventLog, topic: string, from: bigint, to: bigint): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for await (const found of log.scan(topic, 0, from, to)) all.push(found);
  return all;
}

/** Now, once it is later than `than`. */
const later = (than: number) => (): number | undefined => (Date.now() > than + 2 ? Date.now() : undefined);

const offsets = (records: readonly LogRecord[]): number[] => records.map((r) => Number(r.offset));

export function reading(suite: Suite): void {
  it('creates only topics that are missing', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 3);
    await log.createTopics([{ name: topic, partitions: 9 }]);
    expect(await log.describe([topic, `unknown.${randomUUID()}`])).toEqual([{ name: topic, partitions: 3 }]);
  });

  it('refuses a topic name that Kafka would not take', async () => {
    const created = suite.open().createTopics([{ name: 'two words', partitions: 1 }]);
    await expect(created).rejects.toMatchObject({ kind: 'terminal' });
  });

  it('gives first kept and next free offset of each partition', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    const empty = [0, 1].map((partition) => ({ partition, first: 0n, end: 0n }));
    expect(await log.bounds(topic)).toEqual(empty);
    const { acknowledged } = await log.append(numbered(topic, 40));
    const count = (p: number): bigint =>
      BigInt(acknowledged.filter((a) => a.partition === p).flatMap((a) => a.indexes).length);
    expect(await log.bounds(topic)).toEqual(empty.map((b) => ({ ...b, end: count(b.partition) })));
  });

  it('scans a range in order, and ends early where the log ends', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 1);
    await log.append(numbered(topic, 1_200));
    expect(offsets(await scanned(log, topic, 100n, 1_150n))).toEqual(
      Array.from({ length: 1_050 }, (_, i) => 100 + i),
    );
    expect(offsets(await scanned(log, topic, 1_198n, 5_000n))).toEqual([1_198, 1_199]);
    expect(await scanned(log, topic, 1_200n, 5_000n)).toEqual([]);
    expect(await scanned(log, topic, 7n, 7n)).toEqual([]);
  });

  it('L4: a scan from before what is kept is an error, not a jump', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 1);
    await log.append(numbered(topic, 20));
    await suite.harness.deleteBefore(topic, 0, 12n);
    expect(await log.bounds(topic)).toEqual([{ partition: 0, first: 12n, end: 20n }]);
    await expect(scanned(log, topic, 5n, 15n)).rejects.toBeInstanceOf(PositionOutOfRangeError);
    expect(offsets(await scanned(log, topic, 12n, 15n))).toEqual([12, 13, 14]);
  });

  it('finds the first offset at or after a time', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    await log.append([record(topic, 'a', '0')]);
    const [first] = [...(await contents(log, topic)).values()].flat();
    const after = await settled('the clock moved on', later(first?.timestampMs ?? 0));
    await settled('and again', later(after));
    const { acknowledged } = await log.append([record(topic, 'a', '1')]);
    const partition = acknowledged[0]?.partition;
    const found = await log.offsetsAt(topic, new Date(after));
    expect(found).toEqual([0, 1].map((p) => ({ partition: p, offset: p === partition ? 1n : 0n })));
    expect(await log.offsetsAt(topic, new Date(0))).toEqual(
      [0, 1].map((p) => ({ partition: p, offset: 0n })),
    );
    const late = await log.offsetsAt(topic, new Date(Date.now() + 3_600_000));
    expect(late).toEqual([0, 1].map((p) => ({ partition: p, offset: p === partition ? 2n : 0n })));
  });

  it('names a topic that it does not have', async () => {
    const log = suite.open();
    const unknown = `unknown.${randomUUID()}`;
    await expect(log.bounds(unknown)).rejects.toBeInstanceOf(UnknownTopicError);
    await expect(log.offsetsAt(unknown, new Date())).rejects.toBeInstanceOf(UnknownTopicError);
    await expect(scanned(log, unknown, 0n, 1n)).rejects.toBeInstanceOf(UnknownTopicError);
  });

  it('a topic that does not exist makes no other one unknown that is asked for at once', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 1);
    const unknown = `unknown.${randomUUID()}`;
    const asked = await Promise.allSettled([
      log.bounds(unknown),
      log.bounds(topic),
      log.settings(topic),
      log.offsetsAt(unknown, new Date()),
    ]);
    expect(asked.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'rejected']);
  });

  it('says how a topic is kept', async () => {
    const log = suite.open();
    const name = `conformance.${randomUUID()}`;
    await log.createTopics([{ name, partitions: 3, retentionMs: 3_600_000 }]);
    const kept = { partitions: 3, cleanupPolicy: 'delete', retentionMs: 3_600_000 };
    expect(await log.settings(name)).toMatchObject(kept);
    expect((await log.settings(name)).maxMessageBytes).toBeGreaterThan(1_000_000);
    await expect(log.settings(`unknown.${randomUUID()}`)).rejects.toBeInstanceOf(UnknownTopicError);
  });

  it('answers a ping', async () => {
    await expect(suite.open().ping(5_000)).resolves.toBeUndefined();
  });
}
