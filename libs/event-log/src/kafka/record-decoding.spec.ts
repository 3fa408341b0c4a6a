import { createRequire } from 'node:module';
import { seeded } from '@aura/testing';
import { expect, it } from 'vitest';
import { readAtOnce, readRecordsAtOnce } from './record-decoding.js';
import { toRecord } from './records.js';

const require = createRequire(import.meta.url);
const DECODER = 'kafkajs/src/protocol/recordBatch/record/v0/decoder';
type Decode = Parameters<typeof readAtOnce>[0];

const Decoder = require('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => {
  buffer: Buffer;
  offset: number;
  readVarIntBytes(): Buffer;
};
const encode = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => {
  buffer: Buffer;
};
const original = require(DECODER) as Decode & { readonly atOnce?: true };
const never = (): never => {
  throw new Error('this record was to be read at once');
};

/** The bytes of one record, as a batch's decoder hands them over. */
const bytesOf = (record: object): Buffer => new Decoder(encode(record).buffer).readVarIntBytes();
const read = (decode: Decode, bytes: Buffer, batch: Parameters<Decode>[1]) =>
  toRecord('t', 0, decode(new Decoder(bytes), batch) as Parameters<typeof toRecord>[2]);

it('records that are read at once are those of kafkajs, whatever is in them', () => {
  const drawn = seeded('record decoding');
  const below = (n: number): number => drawn.int(n);
  const text = (): string =>
    Array.from({ length: below(300) }, () => 'ab-09 é€😀\0'.at(below(9)) ?? '').join('');
  const decode = readAtOnce(never);
  const names = Array.from({ length: 20 }, (_, i) => `${text()}${i}`);
  for (let round = 0; round < 500; round++) {
    const headers = Object.fromEntries(names.slice(below(8), below(20)).map((name) => [name, text()]));
    const bytes = bytesOf({
      offsetDelta: below(2 ** 20),
      timestampDelta: below(2 ** 20),
      key: below(9) === 0 ? null : text(),
      value: below(9) === 0 ? null : Buffer.from(text().repeat(below(20))),
      headers,
    });
    const batch = {
      firstOffset: String(below(2 ** 30) * 2 ** below(20)),
      firstTimestamp: String(1_700_000_000_000 + below(2 ** 30)),
      maxTimestamp: '1800000000000',
      timestampType: below(2),
      magicByte: 2,
    };
    expect(read(decode, bytes, batch)).toEqual(read(original, bytes, batch));
  }
});

it('leaves to kafkajs what no event is made of', () => {
  const decode = readAtOnce(original);
  const batch = { firstOffset: '5', firstTimestamp: '7', magicByte: 2 };
  const odd = [
    [{ key: 'k', value: 'v', headers: { list: ['a', 'b'] } }, batch],
    [{ key: 'k', value: 'v', timestampDelta: 2 ** 40 }, batch],
    [
      { key: 'k', value: 'v' },
      { ...batch, firstOffset: '9007199254740993' },
    ],
    [
      { key: 'k', value: 'v' },
      { ...batch, isControlBatch: true },
    ],
  ] as const;
  const nullHeader = bytesOf({ key: 'k', value: 'v', headers: { name: '' } });
  nullHeader[nullHeader.length - 1] = 1; // a length of -1
  const records = odd.map(([record, around]) => [bytesOf(record), around] as const);
  for (const [bytes, around] of [...records, [nullHeader, batch] as const])
    expect(decode(new Decoder(bytes), around)).toEqual(original(new Decoder(bytes), around));
});

it('kafkajs reads with it', () => {
  readRecordsAtOnce();
  readRecordsAtOnce();
  expect((require(DECODER) as typeof original).atOnce).toBe(true);
});
