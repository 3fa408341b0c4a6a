import { randomBytes, randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { kindOf } from '@aura/platform';
import { seeded } from '@aura/testing';
import { partitionOf, RecordRefusedError, UnknownTopicError, type EventLog } from '../../src/index.js';
import { contents, numbered, record, type Suite } from './suite.js';

export function appending(suite: Suite): void {
  it('L2: a key lives where Kafka’s murmur2 puts it', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 7);
    const keys = ['a', 'Zürich', '🧥', 'a-much-longer-key-than-four-bytes', randomUUID(), ' '];
    const { acknowledged } = await log.append(keys.map((key) => record(topic, key, 'x')));
    const placed = acknowledged.flatMap((ack) => ack.indexes.map((i) => [keys[i], ack.partition]));
    expect(Object.fromEntries(placed)).toEqual(
      Object.fromEntries(keys.map((key) => [key, partitionOf(key, 7)])),
    );
  });

  it('L1: every record is kept at the offset it was acknowledged at, offsets without gaps', async () => {
    const log = suite.open();
    const topic = await suite.topic(log);
    const records = numbered(topic, 300);
    const { acknowledged, failed } = await log.append(records);
    expect(failed).toEqual([]);
    const kept = await contents(log, topic);
    const at = acknowledged.flatMap((ack) =>
      ack.indexes.map(
        (index, n) =>
          kept.get(ack.partition)?.[Number(ack.firstOffset) + n]?.value.toString() === String(index),
      ),
    );
    expect(at).toHaveLength(300);
    expect(at.every(Boolean)).toBe(true);
    for (const found of kept.values())
      expect(found.map((r) => r.offset)).toEqual(found.map((_, i) => BigInt(i)));
  });

  it('L2: records of one key keep their order, whoever else appends at the same time', async () => {
    const random = seeded('order per key');
    const logs = [suite.open(), suite.open(), suite.open()];
    const topic = await suite.topic(logs[0] as EventLog, 5);
    await Promise.all(
      logs.map(async (log, writer) => {
        for (let sent = 0; sent < 200;) {
          const size = 1 + random.int(30);
          const batch = Array.from({ length: size }, (_, i) =>
            record(topic, `writer-${writer}-key-${(sent + i) % 6}`, String(sent + i)),
          );
          expect((await log.append(batch)).failed).toEqual([]);
          sent += size;
        }
      }),
    );
    const perKey = Map.groupBy(
      [...(await contents(logs[0] as EventLog, topic)).values()].flat(),
      (r) => r.key,
    );
    expect(perKey.size).toBe(18);
    for (const records of perKey.values()) {
      const numbers = records.map((r) => Number(r.value.toString()));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });

  it('L3: records of an unknown topic fail, named; the others are acknowledged', async () => {
    const log = suite.open();
    const topic = await suite.topic(log);
    const unknown = `unknown.${randomUUID()}`;
    const { acknowledged, failed } = await log.append([
      record(unknown, 'a', '0'),
      record(topic, 'a', '1'),
      record(unknown, 'b', '2'),
      record(topic, 'b', '3'),
    ]);
    expect(acknowledged.flatMap((ack) => ack.indexes).toSorted((a, b) => a - b)).toEqual([1, 3]);
    expect(failed.flatMap((failure) => failure.indexes).toSorted((a, b) => a - b)).toEqual([0, 2]);
    for (const failure of failed) {
      expect(failure).toMatchObject({ topic: unknown, partition: undefined });
      expect(failure.error).toBeInstanceOf(UnknownTopicError);
      expect(kindOf(failure.error)).toBe('terminal');
    }
  });

  it('L3: a record that is too large is refused; its key is held back, other keys go', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 1);
    const { acknowledged, failed } = await log.append([
      record(topic, 'large', 'before'),
      record(topic, 'large', randomBytes(1_100_000)),
      record(topic, 'other', 'fits'),
      record(topic, 'large', 'after'),
    ]);
    expect(acknowledged.flatMap((ack) => ack.indexes).toSorted((a, b) => a - b)).toEqual([0, 2]);
    const byIndex = new Map(failed.flatMap((f) => f.indexes.map((index) => [index, f.error])));
    expect([...byIndex.keys()].toSorted((a, b) => a - b)).toEqual([1, 3]);
    expect(byIndex.get(1)).toBeInstanceOf(RecordRefusedError);
    expect(kindOf(byIndex.get(3))).toBe('transient');
    const [records] = (await contents(log, topic)).values();
    expect(records?.map((r) => r.value.toString())).toEqual(['before', 'fits']);
  });

  it('L2: a record without a key is refused', async () => {
    const log = suite.open();
    const topic = await suite.topic(log);
    const { acknowledged, failed } = await log.append([record(topic, '', 'x')]);
    expect(acknowledged).toEqual([]);
    expect(failed[0]?.error).toBeInstanceOf(RecordRefusedError);
  });

  it('L1: large records arrive byte for byte, with their headers', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    const headers = { ce_type: 'a.b', quote: '"\\{}', unicode: 'Zürich 🧥', empty: '' };
    const sent = Array.from({ length: 12 }, (_, i) =>
      record(topic, `key-${i}`, randomBytes(900_000), headers),
    );
    expect((await log.append(sent)).failed).toEqual([]);
    const records = [...(await contents(log, topic)).values()].flat();
    expect(records).toHaveLength(12);
    for (const found of records) {
      const original = sent.find((r) => r.key === found.key);
      expect(found.headers).toEqual(headers);
      expect(original && found.value.equals(original.value)).toBe(true);
    }
  });

  it('says nothing of nothing', async () => {
    expect(await suite.open().append([])).toEqual({ acknowledged: [], failed: [] });
  });
}
