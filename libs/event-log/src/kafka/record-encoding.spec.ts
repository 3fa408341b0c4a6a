import { createRequire } from 'node:module';
import { seeded } from '@aura/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { atOnce, writeRecordsAtOnce } from './record-encoding.js';

interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}
type Encode = (record: object) => Encoded;

const require = createRequire(import.meta.url);
const RECORD = 'kafkajs/src/protocol/recordBatch/record/v0';
const REQUEST = 'kafkajs/src/protocol/requests/produce/v3/request';

const original = require(RECORD) as Encode & { readonly atOnce?: true };
const never = (): never => {
  throw new Error('this record was to be written at once');
};

describe('records that are written at once', () => {
  it('are the bytes of kafkajs, whatever keys, values, headers and deltas are', () => {
    const drawn = seeded('record encoding');
    const below = (n: number): number => drawn.int(n);
    const text = (): string =>
      Array.from({ length: below(300) }, () => 'ab-09 é€😀'.at(below(8)) ?? '').join('');
    for (let round = 0; round < 500; round++) {
      const headers = Object.fromEntries(
        Array.from({ length: below(12) }, (_, i) => [`${text()}${i}`, text()]),
      );
      const record = {
        offsetDelta: below(2 ** below(30)),
        timestampDelta: below(2 ** below(30)),
        key: text(),
        value: Buffer.from(text().repeat(below(20))),
        headers,
      };
      expect(atOnce(never)(record).buffer).toEqual(original(record).buffer);
    }
  });

  it('leave to kafkajs what no event is made of', () => {
    const odd = [
      { key: null, value: Buffer.from('v') },
      { key: 'k', value: null },
      { key: 'k', value: Buffer.from('v'), headers: { list: ['a', 'b'] } },
      { key: 'k', value: Buffer.from('v'), timestampDelta: 2 ** 40 },
    ];
    for (const record of odd) expect(atOnce(original)(record).buffer).toEqual(original(record).buffer);
  });
});

describe('kafkajs', () => {
  beforeAll(writeRecordsAtOnce);

  it('uses it in its produce requests, once whatever the calls', async () => {
    const used = require(RECORD) as Encode & { readonly atOnce?: true };
    writeRecordsAtOnce();
    expect(require(RECORD)).toBe(used);
    expect(used.atOnce).toBe(true);
    const request = require(REQUEST) as (options: object) => { encode(): Promise<Encoded> };
    let asked = 0;
    const headers = Object.defineProperty({}, 'h', { enumerable: true, get: () => String(++asked) });
    const messages = [{ key: 'k', value: Buffer.from('v'), headers }];
    const topicData = [{ topic: 't', partitions: [{ partition: 0, firstSequence: 0, messages }] }];
    await request({ acks: -1, timeout: 1_000, topicData }).encode();
    expect(asked).toBe(1); // kafkajs itself looks at a header twice
  });
});
