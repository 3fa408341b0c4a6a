import type { PoolClient } from 'pg';
import { expect, it } from 'vitest';
import { Savepoint } from './savepoint.js';

/** A connection that notes what is sent on it. */
function noting(): { readonly client: PoolClient; readonly sent: string[] } {
  const sent: string[] = [];
  const query = (sql: string): Promise<void> => {
    sent.push(sql);
    return Promise.resolve();
  };
  return { client: { query } as unknown as PoolClient, sent };
}

it('sends nothing where nothing is sent in it, and leaves the connection as it was', async () => {
  const { client, sent } = noting();
  const { query: before } = client as { query: unknown };
  new Savepoint(client, 's1').release();
  await new Savepoint(client, 's2').rollback();
  expect(sent).toEqual([]);
  expect(Object.is((client as { query: unknown }).query, before)).toBe(true);
});

it('H17: is set ahead of the first statement, whoever sends it', async () => {
  const { client, sent } = noting();
  const kept = client; // as a repository that was made before
  const savepoint = new Savepoint(client, 's1');
  await kept.query('insert 1');
  await kept.query('insert 2');
  await savepoint.rollback();
  expect(sent).toEqual([
    'SAVEPOINT s1',
    'insert 1',
    'insert 2',
    'ROLLBACK TO SAVEPOINT s1; RELEASE SAVEPOINT s1',
  ]);
});

it('H17: one within another is set after it, and undone alone', async () => {
  const { client, sent } = noting();
  const outer = new Savepoint(client, 'outer');
  const inner = new Savepoint(client, 'inner');
  await client.query('insert');
  await inner.rollback();
  outer.release();
  expect(sent).toEqual([
    'SAVEPOINT outer',
    'SAVEPOINT inner',
    'insert',
    'ROLLBACK TO SAVEPOINT inner; RELEASE SAVEPOINT inner',
    'RELEASE SAVEPOINT outer',
  ]);
});
