import { describe } from 'vitest';
import { itKeepsTheLedger } from './crash-ledger.js';

/**
 * It crashes a broker of its own; the environment says whether this machine has Kafka at all, and where
 * the registry is.
 */
describe.skipIf(!process.env['KAFKA_BROKERS'])('the crash ledger over Kafka', () =>
  itKeepsTheLedger('kafka'),
);
