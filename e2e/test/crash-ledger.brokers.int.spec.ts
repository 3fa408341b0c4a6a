import { describe } from 'vitest';
import { itKeepsTheLedger } from './crash-ledger.js';

/** Three brokers of its own, of which one is killed in each round. */
describe.skipIf(!process.env['KAFKA_BROKERS'])('the crash ledger over three brokers', () =>
  itKeepsTheLedger(
    'H30 E4 H46: killed brokers lose nothing acknowledged; every effect comes once, in order',
    { log: 'brokers', strikes: 'brokers' },
    3,
  ),
);
