import type { Queryable } from '@aura/platform';
import { settled } from '@aura/testing';
import { expect, it } from 'vitest';
import { Views } from './views.js';

/** A database that answers when it is told to. */
function slowDatabase() {
  const asked: { ids: string[]; answer: (known: readonly string[]) => void; fail: (error: Error) => void }[] =
    [];
  const query = ({ values }: { values?: unknown[] }) => {
    const { promise, resolve, reject } = Promise.withResolvers<{ rows: object[] }>();
    const ids = values?.[0] as string[];
    const answer = (known: readonly string[]): void => resolve({ rows: known.map(rowOf) });
    asked.push({ ids, answer, fail: reject });
    return promise;
  };
  return { asked, db: { query } as unknown as Queryable };
}

const rowOf = (id: string) => ({
  id,
  type: 'order',
  version: 1,
  plan: { deadline: 0, attentionMs: 0, branches: [] },
  state: { phase: 'PREPARING', movedAt: 0, branches: [] },
  started_at: new Date(0),
  decided_at: null,
  ended_at: null,
});

it('sagas that are looked for while a query is under way share the next one', async () => {
  const { asked, db } = slowDatabase();
  const views = new Views(db);
  const first = views.find('a');
  await settled('the first query', () => asked.length === 1);
  const others = ['b', 'c', 'b'].map((id) => views.find(id));
  asked[0]?.answer(['a']);
  expect(await first).toMatchObject({ id: 'a' });
  await settled('the next query', () => asked.length === 2);
  asked[1]?.answer(['b']);
  expect((await Promise.all(others)).map((view) => view?.id)).toEqual(['b', undefined, 'b']);
  expect(asked.map(({ ids }) => ids)).toEqual([['a'], ['b', 'c']]);
});

it('a query that fails fails those who asked in it, and nobody after them', async () => {
  const { asked, db } = slowDatabase();
  const views = new Views(db);
  const failing = expect(views.find('a')).rejects.toThrow('away');
  await settled('the first query', () => asked.length === 1);
  asked[0]?.fail(new Error('away'));
  await failing;
  const found = views.find('a');
  await settled('the next query', () => asked.length === 2);
  asked[1]?.answer(['a']);
  expect(await found).toMatchObject({ id: 'a' });
});
