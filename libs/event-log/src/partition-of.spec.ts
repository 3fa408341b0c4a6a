import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { murmur2, partitionOf } from './partition-of.js';

const { Partitioners } = kafkajs;

describe('partitionOf', () => {
  // Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as Java does', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it('L2: places every key where kafkajs’s default partitioner does', () => {
    const partitioner = Partitioners.DefaultPartitioner();
    const keys = ['', ' ', 'Zürich', '🧥👗', '\0', 'x'.repeat(1_000)];
    for (let i = 0; i < 2_000; i++) keys.push(`${i.toString(36)}-${'é'.repeat(i % 9)}`);
    for (const count of [1, 2, 7, 12, 100]) {
      const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
        partitionId,
        leader: 1,
        partitionErrorCode: 0,
        replicas: [],
        isr: [],
      }));
      for (const key of keys)
        expect([key, partitionOf(key, count)]).toEqual([
          key,
          partitioner({ topic: 't', partitionMetadata, message: { key, value: null } }),
        ]);
    }
  });
});
