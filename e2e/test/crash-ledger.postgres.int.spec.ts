import { describe } from 'vitest';
import { itKeepsTheLedger } from './crash-ledger.js';

describe('the crash ledger over the log in Postgres', () =>
  itKeepsTheLedger('E1 E2 E3 E8: every cause has its effects, once and in order, whatever crashes', {
    log: 'postgres',
  }));
