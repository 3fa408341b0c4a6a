export { backupOf, type Backup } from './backup.js';
export { testDatabase, type TestDatabase } from './database.js';
export { seeded, type Seeded } from './faults.js';
export { settled } from './settled.js';
export { given, type Decider, type Scenario } from './given-when-then.js';
