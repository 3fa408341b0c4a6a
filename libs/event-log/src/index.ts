export * from './errors.js';
export type * from './event-log.js';
