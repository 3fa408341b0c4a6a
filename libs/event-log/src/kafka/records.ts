import type { KafkaMessage } from 'kafkajs';
import type { LogRecord } from '../event-log.js';

/**
 * A Kafka message as a record. Keys and header values are read as UTF-8; a header given several times is
 * joined by commas (as W3C has it for `tracestate`); a key or value that is null (another client's tombstone)
 * becomes empty.
 */
export function toRecord(topic: string, partition: number, message: KafkaMessage): LogRecord {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers ?? {}))
    if (value !== undefined)
      headers[name] = Array.isArray(value) ? value.map(String).join(',') : value.toString();
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key?.toString() ?? '',
    value: message.value ?? Buffer.alloc(0),
    headers,
  };
}
