import { derivedId, type EventEnvelope } from '@aura/contracts';
import type { LogRecord } from '@aura/event-log';

/** A record that some handler of this service wants, on its way through a unit. */
export type Delivery = ReadableDelivery | RefusedDelivery;

export interface ReadableDelivery {
  readonly record: LogRecord;
  /** What the inbox remembers. */
  readonly id: string;
  readonly event: EventEnvelope;
}

/** Can't go on: unreadable, or a handler threw. The next unit parks it with its key. */
export interface RefusedDelivery {
  readonly record: LogRecord;
  readonly id: string;
  readonly refusal: unknown;
  /** Where it could be read, and a handler threw. */
  readonly event?: EventEnvelope;
}

export function isRefused(delivery: Delivery): delivery is RefusedDelivery {
  return 'refusal' in delivery;
}

/** What order is kept within: one key of one topic. */
export interface Lane {
  readonly topic: string;
  readonly key: string;
}

/** A lane as a key of sets and maps: a topic holds no line feed, so no two lanes share one. */
export function laneKey({ topic, key }: Lane): string {
  return `${topic}\n${key}`;
}

/** For keys and ids: by code units, the same on every replica whatever its locale. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const LONG_AGO = '00000000-0000-7000-8000-000000000000';

/**
 * The id under which the inbox remembers a record that has no usable id of its own: a function of its place
 * in the log, so that its redelivery is recognised. Its time is 1970: it lives in the inbox's DEFAULT
 * partition and never stands in the way of a day that has to be made (H50).
 */
export function standInId({ topic, partition, offset }: LogRecord): string {
  return derivedId({ causeId: LONG_AGO, group: `unreadable:${topic}/${partition}/${offset}`, ordinal: 0 });
}

/** Longest key (bytes) that the primary key of `aura.parked_key` takes for certain. */
export const MAX_KEY_BYTES = 1_024;

/** Whether a key can be stored as it is: a foreign producer may send any bytes. */
export function isStorableKey(key: string): boolean {
  return key === storableText(key) && Buffer.byteLength(key) <= MAX_KEY_BYTES;
}

/**
 * The key under which a record is parked whose own can't be stored: what can be shown of it, and a function
 * of all of it, so that records of one key stay one lane and in order.
 */
export function standInKey(key: string): string {
  const hash = derivedId({ causeId: LONG_AGO, group: `unstorable key:${key}`, ordinal: 0 });
  return `${storableText(key.slice(0, 100))} [unstorable key ${hash}]`;
}

const STAND_IN_KEY = / \[unstorable key [0-9a-f-]{36}\]$/;

/** Whether a key looks like a stand-in: only its record in the log can tell what it stands for. */
export function mayBeStandInKey(key: string): boolean {
  return STAND_IN_KEY.test(key);
}

/** What Postgres takes as text and in `jsonb`: no zero character, no half of a surrogate pair. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

/**
 * H2. One delivery per id: the first copy. The inbox gives an id back once, whoever of its copies was meant.
 */
export function firstCopies(deliveries: readonly Delivery[]): Delivery[] {
  const seen = new Set<string>();
  return deliveries.filter(({ id }) => !seen.has(id) && seen.add(id));
}

/** Each lane of `deliveries` once. */
export function lanesOf(deliveries: readonly Delivery[]): Lane[] {
  return [...new Map(deliveries.map(({ record }) => [laneKey(record), record])).values()];
}
