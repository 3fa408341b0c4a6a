import type { KafkaMessage } from 'kafkajs';
import type { LogRecord } from '../event-log.js';

/**
 * A Kafka message as a record. Keys and header values are read as UTF-8; a header given several times is
 * joined by commas (as W3C has it for `tracestate`); a key or value that is null (another client's tombstone)
 * becomes empty.
 */
export function toRecord(topic: string, partition: number, message: KafkaMessage): LogRecord {
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key?.toString() ?? '',
    value: message.value ?? Buffer.alloc(0),
    headers: textsOf(message.headers ?? {}),
  };
}

/** Those that were read at once (record-decoding.ts) are texts already, and nobody else's. */
function textsOf(headers: NonNullable<KafkaMessage['headers']>): Record<string, string> {
  if (areTexts(headers)) return headers;
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined)
      texts[name] = Array.isArray(value) ? value.map(String).join(',') : value.toString();
  return texts;
}

function areTexts(headers: object): headers is Record<string, string> {
  return Object.values(headers).every((value) => typeof value === 'string');
}
