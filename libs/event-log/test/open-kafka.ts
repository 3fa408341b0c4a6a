import { kafkaLog, type EventLog } from '../src/index.js';
import { silentLogger } from '@aura/platform';

/** For members in a process of their own. */
export const open = (config: unknown): EventLog =>
  kafkaLog({ brokers: config as string[], clientId: 'spec', logger: silentLogger });
