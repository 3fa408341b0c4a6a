import { replaceModule } from './kafkajs-module.js';

/** As much of kafkajs's Decoder as a record's decoder reads: its bytes, and where it stands. */
interface RecordBytes {
  readonly buffer: Buffer;
  offset: number;
}

/** What kafkajs knows of the batch around a record. */
interface BatchContext {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly maxTimestamp?: string;
  readonly timestampType?: number;
  readonly magicByte?: number;
  readonly isControlBatch?: boolean;
}

type Decode = (record: RecordBytes, batch: BatchContext) => object;

const RECORD = 'kafkajs/src/protocol/recordBatch/record/v0/decoder';
const LOG_APPEND_TIME = 1;

/**
 * kafkajs 2.2.4 makes two views on the record for each of its headers, and a copy of all headers so far for
 * each next one: with the twelve headers of an event, a tenth of a consumer's time. This reads a record in
 * one pass: the same fields (record-decoding.spec.ts), but for the headers' values, which are texts already.
 *
 * Must be called before the first record is fetched, as `writeRecordsAtOnce`. Safe to call again. The version
 * of kafkajs is pinned.
 */
export function readRecordsAtOnce(): void {
  replaceModule(RECORD, readAtOnce);
}

/** `otherwise` takes what no event is: control records, a header that is null or given twice, huge deltas. */
export function readAtOnce(otherwise: Decode): Decode {
  const names = new Names();
  return (record, batch) => {
    const read = batch.isControlBatch ? undefined : readRecord(record.buffer, batch, names);
    return read ?? otherwise(record, batch);
  };
}

function readRecord(buffer: Buffer, batch: BatchContext, names: Names): object | undefined {
  const cursor = new Cursor(buffer, 1);
  const timestampDelta = cursor.number();
  const offsetDelta = cursor.number();
  const key = cursor.bytes();
  const value = cursor.bytes();
  const count = cursor.number();
  const headers: Record<string, string> = {};
  for (let i = 0; i < count; i++) {
    const name = names.read(buffer, cursor, i);
    const [start, end] = [cursor.start(), cursor.at];
    if (start < 0 || name === undefined || name in headers) return undefined;
    headers[name] = buffer.toString('utf8', start, end);
  }
  const offset = Number(batch.firstOffset) + offsetDelta;
  const time = Number(batch.firstTimestamp) + timestampDelta;
  if (!cursor.isSound || !Number.isSafeInteger(offset) || !Number.isSafeInteger(time)) return undefined;
  const appended = batch.timestampType === LOG_APPEND_TIME ? batch.maxTimestamp : undefined;
  return {
    magicByte: batch.magicByte,
    attributes: buffer.readInt8(0),
    timestamp: appended ?? String(time),
    offset: String(offset),
    key,
    value,
    headers,
    isControlRecord: false,
    batchContext: batch,
  };
}

/** Reads on from `at`. What it gave counts only if it `isSound` at the end. */
class Cursor {
  #overflow = false;

  constructor(
    private readonly buffer: Buffer,
    public at: number,
  ) {}

  get isSound(): boolean {
    return !this.#overflow && this.at <= this.buffer.length;
  }

  /** A zigzag varint of 28 bits at most; with a longer one nothing of this is sound. */
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer[this.at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if (shift < 21) continue;
      this.#overflow = true;
      break;
    }
    return (value >>> 1) ^ -(value & 1);
  }

  /** Passes over bytes with their length before them: where they begin, -1 for null; they end where it is. */
  start(): number {
    const length = this.number();
    if (length < 0) return -1;
    this.at += length;
    return this.at - length;
  }

  bytes(): Buffer | null {
    const start = this.start();
    return start < 0 ? null : this.buffer.subarray(start, this.at);
  }
}

/** Names of headers: the same in record after record, so that each is made a text once. */
class Names {
  readonly #last: { readonly bytes: Buffer; readonly text: string }[] = [];

  /** The name of the header at `index`; undefined for one that is null. */
  read(buffer: Buffer, cursor: Cursor, index: number): string | undefined {
    const start = cursor.start();
    if (start < 0) return undefined;
    const known = this.#last[index];
    if (known && isAt(buffer, start, cursor.at, known.bytes)) return known.text;
    const bytes = Buffer.from(buffer.subarray(start, cursor.at)); // a copy: the batch must not be kept
    const text = bytes.toString();
    if (index < MOST_NAMES && bytes.length <= LONGEST_NAME) this.#last[index] = { bytes, text };
    return text;
  }
}

const MOST_NAMES = 64;
const LONGEST_NAME = 128;

function isAt(buffer: Buffer, start: number, end: number, bytes: Buffer): boolean {
  if (end - start !== bytes.length) return false;
  for (let i = 0; i < bytes.length; i++) if (buffer[start + i] !== bytes[i]) return false;
  return true;
}
