/**
 * Where a key lives: Kafka's murmur2 over its UTF-8 bytes, as Java's `Utils.murmur2` and kafkajs's default
 * partitioner compute it. Both adapters use this function, so a key has the same partition number in either
 * log, and a topic copied from one to the other keeps its placement.
 */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/** Java's `Utils.murmur2`: a signed 32-bit hash. */
export function murmur2(data: Uint8Array): number {
  const { length } = data;
  const byte = (at: number): number => data[at] ?? 0;
  let h = (SEED ^ length) | 0;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k = byte(i) | (byte(i + 1) << 8) | (byte(i + 2) << 16) | (byte(i + 3) << 24);
    k = Math.imul(k, M);
    k ^= k >>> R;
    k = Math.imul(k, M);
    h = Math.imul(h, M) ^ k;
  }
  if (length > whole) {
    h ^= byte(whole) | (byte(whole + 1) << 8) | (byte(whole + 2) << 16);
    h = Math.imul(h, M);
  }
  h ^= h >>> 13;
  h = Math.imul(h, M);
  return h ^ (h >>> 15);
}

/**
 * The partition of `key` in a topic of `count` partitions. Changes with `count`: partitions are only added
 * when drained.
 */
export function partitionOf(key: string, count: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % count;
}
