import { expect, it } from 'vitest';
import { settled } from '@aura/testing';
import type { LogRecord } from '../../src/index.js';
import { afterLast, keyOf, named, Positions, takeAll } from './reader.js';
import { groupName, numbered, record, type Suite } from './suite.js';

const offsetsOf = (records: readonly LogRecord[], partition: string): bigint[] =>
  records.filter((r) => keyOf(r) === partition).map((r) => r.offset);

export function subscribing(suite: Suite): void {
  it('L4: delivers each partition in offset order, after onAssigned, one unit at a time', async () => {
    const log = suite.open();
    const topics = [await suite.topic(log, 3), await suite.topic(log, 2)];
    await log.append(topics.flatMap((topic) => numbered(topic, 200)));
    const { reader, subscription } = await suite.member(log, { group: groupName(), topics });
    await settled('the backlog', () => reader.records.length >= 400);
    await log.append(topics.flatMap((topic) => numbered(topic, 200, 16, 200)));
    await settled('what came later', () => reader.records.length >= 800);
    expect(reader.records).toHaveLength(800);
    for (const partition of subscription.assigned().map(keyOf)) {
      const offsets = offsetsOf(reader.records, partition);
      expect(offsets).toEqual(offsets.map((_, i) => BigInt(i)));
    }
    expect(reader.happened[0]?.what).toBe('assigned');
    expect(reader.mostUnits).toBe(1);
    expect(subscription.healthy()).toBe(true);
  });

  it('L4: starts where onAssigned placed it; a partition left out is silent', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 3);
    const { acknowledged } = await log.append(numbered(topic, 90));
    const partitions = acknowledged.map((ack) => ({ topic, partition: ack.partition }));
    expect(partitions).toHaveLength(3);
    const [silent, ...others] = partitions as [(typeof partitions)[0], ...typeof partitions];
    const { reader, subscription } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      onAssigned: () => Promise.resolve(others.map((p) => ({ ...p, offset: 5n }))),
    });
    const size = (p: number): number => acknowledged.find((ack) => ack.partition === p)?.indexes.length ?? 0;
    const expected = others.reduce((sum, p) => sum + size(p.partition) - 5, 0);
    await settled('the others', () => reader.records.length >= expected);
    for (const p of others) expect(offsetsOf(reader.records, keyOf(p))[0]).toBe(5n);
    expect(offsetsOf(reader.records, keyOf(silent))).toEqual([]);
    expect(subscription.assigned()).toContainEqual(silent);
  });

  it('a unit stays within its bounds; a larger record comes alone', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 5);
    await log.append([
      ...numbered(topic, 60),
      ...[1, 2, 3].map((i) => record(topic, `key-${i}`, Buffer.alloc(50_000))),
    ]);
    const { reader } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      maxRecords: 3,
      maxBytes: 20_000,
    });
    await settled('all', () => reader.records.length >= 63);
    for (const happening of reader.happened) {
      if (happening.what !== 'records') continue;
      const bytes = happening.records.reduce((sum, r) => sum + r.value.length, 0);
      expect(happening.records.length).toBeLessThanOrEqual(3);
      expect(bytes <= 20_000 || happening.records.length === 1).toBe(true);
    }
  });

  it('L4: a partition that did not move is delivered again; one that moved is not', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    await log.append(numbered(topic, 40));
    let units = 0;
    const { reader } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      handle: (batches) => {
        units++;
        // Of partition 0 nothing is done for three units, then one record at a time.
        return Promise.resolve(
          batches.flatMap((b) => {
            if (b.partition !== 0) return [afterLast(b)];
            return units < 4 ? [] : [{ ...named(b), offset: (b.records[0]?.offset ?? 0n) + 1n }];
          }),
        );
      },
    });
    const { end } = (await log.bounds(topic)).find((b) => b.partition === 0) ?? { end: 0n };
    await settled(
      'all of partition 0',
      () => reader.positions.of([{ topic, partition: 0 }])[0]?.offset === end,
    );
    const again = offsetsOf(reader.records, `${topic}/0`).filter((offset) => offset === 0n);
    expect(again.length).toBeGreaterThanOrEqual(3);
    const once = offsetsOf(reader.records, `${topic}/1`);
    expect(once).toEqual(once.map((_, i) => BigInt(i)));
    expect(units).toBeGreaterThan(Number(end));
  });

  it.each([
    ['an error', () => new Error('not now')],
    ['a TypeError', () => new TypeError('x is not a function')],
  ])('L6: %s of onBatches moves nothing and ends nothing', async (_, error) => {
    const log = suite.open();
    const topic = await suite.topic(log, 1);
    await log.append(numbered(topic, 10));
    let failures = 0;
    const { reader, subscription } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      handle: (batches) => (failures++ < 3 ? Promise.reject(error()) : takeAll(batches)),
    });
    await settled('all', () => reader.positions.of([{ topic, partition: 0 }])[0]?.offset === 10n);
    expect(offsetsOf(reader.records, `${topic}/0`).filter((offset) => offset === 0n).length).toBe(4);
    await log.append(numbered(topic, 1));
    await settled('the next', () => reader.records.at(-1)?.offset === 10n);
    expect(subscription.healthy()).toBe(true);
  });

  it('L6: errors of the other callbacks end nothing', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    await log.append(numbered(topic, 20));
    const positions = new Positions();
    let asked = 0;
    const { reader } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      positions,
      onAssigned: (partitions) =>
        asked++ < 2
          ? Promise.reject(new TypeError('no database'))
          : Promise.resolve(positions.of(partitions)),
      onRevoked: () => Promise.reject(new TypeError('onRevoked')),
      onError: () => {
        throw new TypeError('onError');
      },
      onPartitionError: () => {
        throw new TypeError('onPartitionError');
      },
    });
    await settled('all, once onAssigned works', () => reader.records.length >= 20);
    expect(asked).toBeGreaterThanOrEqual(3);
  });

  it('stop waits for the unit, tells it, and gives the partitions back clean', async () => {
    const log = suite.open();
    const topic = await suite.topic(log, 2);
    await log.append(numbered(topic, 10));
    let finish: (() => void) | undefined;
    let aborted = false;
    const { reader, subscription } = await suite.member(log, {
      group: groupName(),
      topics: [topic],
      handle: async (batches, { signal }) => {
        signal.addEventListener('abort', () => (aborted = true));
        await new Promise<void>((resolve) => (finish = resolve));
        return takeAll(batches);
      },
    });
    await settled('a unit', () => reader.units === 1);
    let stopped = false;
    const stopping = subscription.stop().then(() => (stopped = true));
    await settled('the signal', () => aborted);
    expect(stopped).toBe(false);
    finish?.();
    await stopping;
    expect(reader.happened.at(-1)?.what).toBe('revoked');
    expect(subscription.assigned()).toEqual([]);
    expect(subscription.healthy()).toBe(false);
    await subscription.stop();
  });
}
