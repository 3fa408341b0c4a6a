import { TerminalError } from '@aura/platform';
import { settled } from '@aura/testing';
import type { Pool, QueryConfig, QueryResult } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { byKey, consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import { AT_ONCE, letterFixture, type LetterFixture } from '../../test/letter-fixture.js';
import { MortalDatabase, type Death } from '../../test/mortal-database.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { Handlers, type EventHandler } from '../consumer/handlers.js';
import { readRecord } from '../consumer/reading.js';
import { runUnit } from '../consumer/unit.js';

let base: ServiceFixture;
let service: ConsumerFixture;
let letters: LetterFixture;
let mortal: MortalDatabase;
beforeAll(async () => {
  base = await ledgerService();
  mortal = new MortalDatabase(base.database.url);
  await mortal.open();
});
afterAll(async () => {
  await mortal.dataSource.destroy();
  await base.close();
});
beforeEach(async () => {
  service = await consumerFixture(base);
  letters = letterFixture(service, new HandDrivenLog([]));
});
afterEach(async () => {
  mortal.revive();
  await service.stop();
});

/** Notes and raises; b:2 never works. */
function working(): EventHandler {
  return service.events.noting(({ key, n }, work) => {
    if (key === 'b' && n === 2) throw new TerminalError('poison');
    work.raise(service.events.closed.of({ key: `${key}-${n}` }));
  });
}

/** Two keys of two events wait. */
async function park(): Promise<void> {
  const { group, contracts, registry } = service.events;
  const handlers = new Handlers([working()]);
  const deliveries = await Promise.all(
    [1, 2].flatMap((n) =>
      ['a', 'b'].map(async (key, i) => {
        const record = at(0, 2 * n + i, service.events.record({ key, n }));
        const delivery = await readRecord({ contracts, registry, handlers }, record, new Date());
        return n === 1 ? { record, id: delivery.id, refusal: new Error('for now') } : delivery;
      }),
    ),
  );
  await runUnit({ group, handlers, units: service.units, letters: AT_ONCE }, deliveries, []);
}

/** `pool.query` calls back, which the mortal database does not watch. */
function mortalPool(): Pool {
  const pool = (mortal.dataSource.driver as unknown as { master: Pool }).master;
  const query = async (config: QueryConfig): Promise<QueryResult> => {
    const client = await pool.connect();
    try {
      return await client.query(config);
    } finally {
      client.release(mortal.dead);
    }
  };
  return { query } as unknown as Pool;
}

/** A process that tries what is due until it dies; false when it lived. */
async function dyingLife(statementNo: number, death: Death): Promise<boolean> {
  const units = { ...service.units, dataSource: mortal.dataSource };
  const redriver = letters.redriver([working()], { units }, { pool: mortalPool(), leaseMs: 1 });
  mortal.dieAt(statementNo, death, () => void redriver.stop(0));
  for (let due = true; due && !mortal.dead;) {
    await redriver.runOnce().catch((error: unknown) => {
      if (!mortal.dead) throw error;
    });
    due = (await service.rows('select from aura.task')).length > 0;
  }
  const died = mortal.dead;
  await redriver.stop(0);
  mortal.revive();
  return died;
}

it.each<Death>(['before', 'after'])(
  'E8: a process dies at any one statement of a redrive (%s it is done): effects equal causes, in order',
  async (death) => {
    await park();
    let statements = 0;
    while (await dyingLife(++statements, death)) {
      await letters.redriven([working()], {}, { leaseMs: 1 });
      expect(byKey(await service.ledger())).toEqual({ a: [1, 2], b: [1] });
      const outbox = await service.rows<{ key: string }>('select key from aura.outbox order by key');
      expect(outbox.map(({ key }) => key)).toEqual(['a-1', 'a-2', 'b-1']);
      expect(await letters.parked()).toMatchObject([
        { key: 'b', state: 'dead', error: { message: 'poison' }, attempts: 1, waiting: 0 },
      ]);
      expect(await service.rows('select letters from aura.letter_count')).toEqual([{ letters: '1' }]);
      await service.empty();
      await park();
    }
    console.log(`died ${death} each of ${statements - 1} statements`);
    expect(statements).toBeGreaterThan(30);
  },
  180_000,
);

it('E5: while the database is away no attempt burns; then the key goes on', async () => {
  await park();
  const units = { ...service.units, dataSource: mortal.dataSource };
  const [{ task_id: taskId } = { task_id: '' }] = await service.rows<{ task_id: string }>(
    `select task_id from aura.parked_key where key = 'a'`,
  );
  const attempt = { lane: { topic: service.events.topic, key: 'a' }, taskId, starts: 1 };
  mortal.goAway();
  const before = mortal.refused;
  const redriven = letters.redrive([working()], { units }).run(attempt, new AbortController().signal);
  await settled('it has tried for longer than quick retries last', () => mortal.refused >= before + 12);
  mortal.revive();
  await redriven;
  expect(byKey(await service.ledger())).toEqual({ a: [1, 2] });
  expect(letters.counted.failures).toBe(0);
});
