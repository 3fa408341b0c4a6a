import { describe } from 'vitest';
import { itKeepsTheLaws } from './saga-chaos.js';

/** On a broker of its own; the environment says whether this machine has Kafka, and where the registry is. */
describe.skipIf(!process.env['KAFKA_BROKERS'])('sagas over Kafka', () => itKeepsTheLaws('kafka'));
