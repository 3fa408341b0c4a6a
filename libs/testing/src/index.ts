export { testDatabase, type TestDatabase } from './database.js';
export { seeded, type Seeded } from './faults.js';
export { settled } from './settled.js';
