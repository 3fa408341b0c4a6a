import { TransientError } from '@aura/platform';
import { RecordRefusedError } from './errors.js';
import type { NewRecord, PartitionFailure } from './event-log.js';
import { partitionOf } from './partition-of.js';

/** As Kafka's default for `max.message.bytes`. */
export const DEFAULT_MAX_RECORD_BYTES = 1_048_576;

/** The records of one call for one partition, in the order of the call. */
export interface Lane {
  readonly topic: string;
  readonly partition: number;
  readonly indexes: readonly number[];
}

/** What a call of `append` sends, and what it must not: decided before anything is sent. */
export interface Admission {
  readonly lanes: readonly Lane[];
  /** Per record: refused for good (terminal), or held back behind a refused one of its key (transient). */
  readonly failed: readonly PartitionFailure[];
}

/** Size of a record as the limits count it: key, value, and names and values of the headers, in bytes. */
export function sizeOf(record: NewRecord): number {
  let size = Buffer.byteLength(record.key) + record.value.length;
  for (const [name, value] of Object.entries(record.headers))
    size += Buffer.byteLength(name) + Buffer.byteLength(value);
  return size;
}

/**
 * Places the records at `indexes`, and refuses those that no partition will ever take.
 *
 * A refused record fails alone, but the order of its key must hold (L2): the later records of its key in this
 * call are held back with a `TransientError`. Whoever parks the refused one parks them behind it; whoever
 * drops it sends them again. Other keys of the partition go. Both adapters decide by this function, before a
 * log could refuse a whole batch.
 */
export function admit(
  records: readonly NewRecord[],
  indexes: readonly number[],
  partitionCount: (topic: string) => number,
  maxRecordBytes: number,
): Admission {
  const lanes = new Map<string, Lane & { indexes: number[] }>();
  const failed: PartitionFailure[] = [];
  const refused = new Map<string, number>();
  for (const index of indexes) {
    const record = records[index];
    if (!record) continue;
    const { topic, key } = record;
    const partition = partitionOf(key, partitionCount(topic));
    const error = errorOf(record, index, maxRecordBytes, refused);
    if (error) {
      failed.push({ topic, partition, indexes: [index], error });
      continue;
    }
    const name = `${topic}/${partition}`;
    const lane = lanes.get(name) ?? { topic, partition, indexes: [] };
    lanes.set(name, lane);
    lane.indexes.push(index);
  }
  return { lanes: [...lanes.values()], failed };
}

/** `refused`: topic and key of the refused records so far, with the index of the first. */
function errorOf(
  record: NewRecord,
  index: number,
  maxRecordBytes: number,
  refused: Map<string, number>,
): Error | undefined {
  const before = refused.size > 0 ? refused.get(sequenceOf(record)) : undefined;
  if (before !== undefined)
    return new TransientError(
      `${nameOf(record, index)} is held back: record ${before} of the same key was refused`,
    );
  const reason = refusal(record, maxRecordBytes);
  if (reason === undefined) return undefined;
  refused.set(sequenceOf(record), index);
  return new RecordRefusedError(`${nameOf(record, index)} is refused: ${reason}`);
}

const sequenceOf = ({ topic, key }: NewRecord): string => `${topic}\n${key}`;
const nameOf = ({ topic, key }: NewRecord, index: number): string =>
  `record ${index} for ${topic}, key ${JSON.stringify(key)}`;

function refusal(record: NewRecord, maxRecordBytes: number): string | undefined {
  if (record.key === '') return 'its key is empty; order is kept by the key, give it one';
  if (record.key.includes('\0')) return 'its key holds a NUL character, which Postgres text can’t keep';
  if (mostOf(record) <= maxRecordBytes) return undefined;
  const size = sizeOf(record);
  if (size > maxRecordBytes)
    return `it has ${size} bytes, the log takes ${maxRecordBytes}; send a reference instead`;
  return undefined;
}

/** What a record has at most: to count every text's bytes costs a tenth of an append, and few come near. */
function mostOf({ key, value, headers }: NewRecord): number {
  let characters = key.length;
  for (const [name, text] of Object.entries(headers)) characters += name.length + text.length;
  return value.length + 3 * characters; // UTF-8 takes at most 3 bytes for what a string counts as one
}
