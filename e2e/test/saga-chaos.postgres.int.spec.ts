import { expect, describe, it } from 'vitest';
import { brokenLaws } from '../src/saga-chaos/laws.js';
import { SagaRun } from '../src/saga-chaos/saga-campaign.js';
import { itKeepsTheLaws } from './saga-chaos.js';

describe('sagas over the log in Postgres', () => {
  itKeepsTheLaws('postgres');

  it('64 buyers of the last 10 pieces: 10 sell, 54 are refused, and nobody waits on a deadlock', async () => {
    const run = await SagaRun.open('postgres', { perSecond: 0, seed: 0, buyers: 64 });
    let wentWell = false;
    try {
      await run.up(); // also whoever takes no part: the books are read of all
      await run.begun(64);
      await run.quiet();
      const books = await run.books();
      expect(brokenLaws(books)).toEqual([]);
      const ends = Map.groupBy(books.sagas, ({ phase, code }) => `${phase} ${code}`);
      expect(ends.get('COMMITTED null')?.length).toBe(10);
      expect(ends.get('ABORTED sold-out')?.length).toBe(54);
      expect(await run.deadlocks()).toBe(0);
      wentWell = true;
    } finally {
      await run.close(wentWell);
    }
  }, 300_000);
});
