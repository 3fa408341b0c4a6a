import { replaceModule } from './kafkajs-module.js';

/** What kafkajs makes a record of. */
interface ProducedRecord {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly key?: unknown;
  readonly value?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
}

/** As much of kafkajs's Encoder as a batch asks of its records. */
interface EncodedRecord {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

type Encode = (record: ProducedRecord) => EncodedRecord;

const RECORD = 'kafkajs/src/protocol/recordBatch/record/v0';
/** Below it a zigzag code fits 31 bits, so that shifts of numbers are exact. */
const MOST_DELTA = 2 ** 30;

/**
 * kafkajs 2.2.4 makes a buffer of 512 bytes for each header of a record, and views on these: with the nine
 * headers of an event, half of the relay's time. This writes a record into one buffer of its size instead:
 * the same bytes (record-encoding.spec.ts).
 *
 * Must be called before the first record is sent: kafkajs loads its produce request then, and keeps what it
 * finds. Later it has no effect, and does no harm. Safe to call again. The version of kafkajs is pinned.
 */
export function writeRecordsAtOnce(): void {
  replaceModule(RECORD, atOnce);
}

/** `otherwise` takes what no event is made of: values that are no text or bytes, lists of headers, times. */
export function atOnce(otherwise: Encode): Encode {
  return (record) => {
    const { offsetDelta = 0, timestampDelta = 0, key, value, headers = {} } = record;
    const parts: (string | Buffer)[] = [];
    const lengths: number[] = [];
    let size = 0;
    const add = (part: unknown): boolean => {
      if (typeof part !== 'string' && !Buffer.isBuffer(part)) return false;
      const length = Buffer.byteLength(part);
      parts.push(part);
      lengths.push(length);
      size += varIntSize(length) + length;
      return true;
    };
    const plain = add(key) && add(value) && Object.entries(headers).every(([n, v]) => add(n) && add(v));
    if (!plain || !isSmall(offsetDelta) || !isSmall(timestampDelta)) return otherwise(record);
    const count = parts.length / 2 - 1;
    size += 1 + varIntSize(timestampDelta) + varIntSize(offsetDelta) + varIntSize(count);
    const buf = Buffer.allocUnsafe(varIntSize(size) + size);
    let at = writeVarInt(buf, size, 0);
    buf[at++] = 0; // no attributes
    at = writeVarInt(buf, timestampDelta, at);
    at = writeVarInt(buf, offsetDelta, at);
    for (const [i, part] of parts.entries()) {
      if (i === 2) at = writeVarInt(buf, count, at); // after key and value
      at = writePart(buf, part, lengths[i] ?? 0, at);
    }
    if (count === 0) writeVarInt(buf, 0, at);
    return { buf, buffer: buf };
  };
}

const isSmall = (delta: number): boolean => Number.isInteger(delta) && delta >= 0 && delta < MOST_DELTA;

function varIntSize(value: number): number {
  let size = 1;
  for (let rest = (value * 2) >>> 7; rest > 0; rest >>>= 7) size++;
  return size;
}

function writeVarInt(buf: Buffer, value: number, at: number): number {
  let rest = value * 2; // zigzag of what is not negative
  for (; rest > 0x7f; rest >>>= 7) buf[at++] = (rest & 0x7f) | 0x80;
  buf[at++] = rest;
  return at;
}

function writePart(buf: Buffer, part: string | Buffer, length: number, at: number): number {
  const start = writeVarInt(buf, length, at);
  if (typeof part === 'string') buf.write(part, start, length, 'utf8');
  else part.copy(buf, start);
  return start + length;
}
