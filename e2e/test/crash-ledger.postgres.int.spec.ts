import { describe } from 'vitest';
import { itKeepsTheLedger } from './crash-ledger.js';

describe('the crash ledger over the log in Postgres', () => itKeepsTheLedger('postgres'));
