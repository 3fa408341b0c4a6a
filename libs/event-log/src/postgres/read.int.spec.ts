import type { QueryResult, QueryResultRow } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Queryable } from '@aura/platform';
import { testDatabase, type TestDatabase } from '@aura/testing';
import { postgresLog, type PostgresLog } from './postgres-log.js';
import { readMember, readPage } from './read.js';

let database: TestDatabase;
let log: PostgresLog;

beforeEach(async () => {
  database = await testDatabase('read');
  log = postgresLog({ url: database.url });
  await log.createTopics([{ name: 't', partitions: 12 }]);
});
afterEach(async () => {
  await log.close();
  await database.drop();
});

/**
 * Runs `ask` with a connection that explains in place of running; gives the plan that any parameters would
 * get.
 */
async function planOf(ask: (db: Queryable) => Promise<unknown>): Promise<string> {
  const client = await database.client();
  const lines: string[] = [];
  await ask({
    async query<R extends QueryResultRow>({ text }: { text: string }): Promise<QueryResult<R>> {
      const result = await client.query<R>(`explain (generic_plan, costs off) ${text}`);
      lines.push(...result.rows.map((row) => String(row['QUERY PLAN'])));
      return { ...result, rows: [] };
    },
  });
  return lines.join('\n');
}

describe('read', () => {
  it('R4: probes the primary key for each partition, also while the table has no statistics', async () => {
    const positions = [{ topic: 't', partition: 0, offset: 0n }];
    const limits = { maxRecords: 500, maxBytes: 1_000_000 };
    const member = { group: 'g', id: '00000000-0000-0000-0000-000000000000' };
    const read = await planOf((db) => readMember(db, member, positions, limits));
    const page = await planOf((db) => readPage(db, { topic: 't', partition: 0, offset: 0n }, 10n, limits));
    for (const plan of [read, page]) {
      expect(plan).toMatch(/Limit\n\s+->\s+Index Scan using record_pkey on record/);
      expect(plan).toMatch(
        /Index Cond: \(\(partition_id = \S+\) AND \("offset" >= .+\) AND \("offset" < .+\)\)/,
      );
      expect(plan).not.toContain('Seq Scan on record');
    }
  });
});
