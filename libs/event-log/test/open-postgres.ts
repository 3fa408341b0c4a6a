import { postgresLog, type EventLog, type PostgresLogOptions } from '../src/index.js';

/** For members in a process of their own. */
export const open = (config: unknown): EventLog => postgresLog(config as PostgresLogOptions);
