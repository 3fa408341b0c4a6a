import type { Logger } from '@aura/platform';
import { Kafka, logLevel, type KafkaConfig, type LogEntry } from 'kafkajs';
import { fixKafkaJsIdleLoop } from './idle-loop.js';
import { readRecordsAtOnce } from './record-decoding.js';
import { writeRecordsAtOnce } from './record-encoding.js';
import type { Sockets } from './sockets.js';

export interface KafkaLogOptions {
  /** `host:port` of some brokers; the others are learnt from them. */
  readonly brokers: readonly string[];
  /** Names this process in the broker's logs and quotas: the service's name. */
  readonly clientId: string;
  readonly logger: Logger;
  /**
   * TLS, SASL, and in tests a socket factory. What this adapter depends on (retries, time-outs) can't be set.
   */
  readonly connection?: Pick<KafkaConfig, 'ssl' | 'sasl' | 'socketFactory'>;
  /**
   * Longest time of one `append`, ms; what is not acknowledged by then is reported as failed. Default 15,000.
   */
  readonly appendTimeoutMs?: number;
  /**
   * Most bytes of one partition's records in one request. Must not exceed the smallest `max.message.bytes` of
   * the topics, but a wrong value costs requests, not records: a refused batch is halved. Default 900,000
   * (the broker's default limit is 1,048,588).
   */
  readonly maxBatchBytes?: number;
  /**
   * Largest record that is sent at all (key, value, headers). Default 1,000,000: the broker's limit less its
   * overhead.
   */
  readonly maxRecordBytes?: number;
}

/**
 * Explicit, because NODE_ENV=test changes kafkajs's defaults. Few and quick: whoever calls waits with a
 * back-off of its own, and a client that keeps on trying by itself outlives the decision to give up.
 */
export const RETRY = { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2 };

/**
 * A kafkajs client. Make one per consumer: consumers of one client share a cache of committed offsets by
 * group, and one of them joining empties it under the others, whose fetch then dies of a TypeError.
 */
export function kafkaClient(options: KafkaLogOptions, sockets: Sockets): Kafka {
  fixKafkaJsIdleLoop();
  writeRecordsAtOnce();
  readRecordsAtOnce();
  return new Kafka({
    ...options.connection,
    socketFactory: sockets.factory(options.connection?.socketFactory),
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: 2_000,
    authenticationTimeout: 5_000,
    requestTimeout: 10_000,
    enforceRequestTimeout: true,
    retry: RETRY,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => writeLog(options.logger, entry),
  });
}

/**
 * kafkajs calls an error what it is about to retry: the callers of this adapter report what failed in the
 * end.
 */
function writeLog(logger: Logger, { namespace, log }: LogEntry): void {
  const { message, timestamp: _timestamp, logger: _logger, stack: _stack, ...fields } = log;
  logger.debug({ ...fields, namespace }, `kafkajs: ${message}`);
}
