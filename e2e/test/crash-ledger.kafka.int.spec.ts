import { describe } from 'vitest';
import { itKeepsTheLedger } from './crash-ledger.js';

/**
 * It crashes a broker of its own; the environment says whether this machine has Kafka at all, and where
 * the registry is.
 */
describe.skipIf(!process.env['KAFKA_BROKERS'])('the crash ledger over Kafka', () =>
  itKeepsTheLedger('E1 E2 E3 E8: every cause has its effects, once and in order, whatever crashes', {
    log: 'kafka',
  }),
);
