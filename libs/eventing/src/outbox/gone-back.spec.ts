import type { PartitionBounds } from '@aura/event-log';
import { expect, it } from 'vitest';
import { tailLost } from './gone-back.js';
import type { PartitionMark } from './marks.js';

const markAt = (partition: number, offset: bigint): PartitionMark => ({
  topic: 'shop.events',
  partition,
  offset,
  position: offset,
  partitions: 2,
  lows: [],
});

/** A log that ends at `ends`, by partition; `meanwhile` happens between its look and its answer. */
const logAt = (ends: readonly bigint[], meanwhile = (): void => undefined) => ({
  async bounds(): Promise<PartitionBounds[]> {
    const seen = ends.map((end, partition) => ({ partition, first: 0n, end }));
    await Promise.resolve();
    meanwhile();
    return seen;
  },
});
const topics = new Set(['shop.events']);

it('E10: a topic that no longer reaches what was acknowledged is named, with the partition', async () => {
  const cursor = { marks: [markAt(0, 4n), markAt(1, 370n)] };
  expect(await tailLost(logAt([5n, 371n]), topics, cursor)).toBeUndefined();
  const lost = await tailLost(logAt([5n, 370n]), topics, cursor);
  expect(lost?.message).toContain('shop.events/1 goes on at offset 370, but offset 370 was acknowledged');
});

it('what another partition acknowledges while the log is asked is no loss', async () => {
  const cursor = { marks: [markAt(0, 4n), markAt(1, 369n)] };
  const log = logAt([5n, 370n], () => {
    cursor.marks = [markAt(0, 4n), markAt(1, 370n)];
  });
  expect(await tailLost(log, topics, cursor)).toBeUndefined();
});
