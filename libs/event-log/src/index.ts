export { admit, DEFAULT_MAX_RECORD_BYTES, sizeOf, type Admission, type Lane } from './admission.js';
export * from './errors.js';
export type * from './event-log.js';
export { murmur2, partitionOf } from './partition-of.js';
export { postgresLog, type PostgresLog, type PostgresLogOptions } from './postgres/postgres-log.js';
export { kafkaLog, type KafkaLogOptions } from './kafka/kafka-log.js';
