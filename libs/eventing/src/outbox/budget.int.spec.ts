import { newEventId } from '@aura/contracts';
import { silentLogger, TransientError } from '@aura/platform';
import { settled } from '@aura/testing';
import type { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Counted, serviceFixture, type ServiceFixture } from '../../test/service-fixture.js';
import type { Cause } from '../unit-of-work/work.js';
import { measureText, OutboxBudget, OutboxFullError, type OutboxBudgetOptions } from './budget.js';

let service: ServiceFixture;
let budget: OutboxBudget;
let queries: number;
beforeEach(async () => {
  service = await serviceFixture({
    sql: 'create table note (n int not null)',
    context: {
      onCommitted: ({ events }) => events > 0 && budget.raised(),
      admit: () => budget.admit(),
    },
  });
  queries = 0;
});
afterEach(async () => {
  await budget.stop();
  await service.close();
});

const pool = {
  query(text: string) {
    queries++;
    return service.pool.query(text);
  },
} as unknown as Pool;

function started(options: Partial<OutboxBudgetOptions> = {}): void {
  budget = new OutboxBudget({ service: 'shop', pool, logger: silentLogger, refreshMs: 5, ...options });
  budget.start();
}

const raise = (n: number, cause?: Cause): Promise<unknown> =>
  service.units.run(async (work) => {
    await work.manager.query('insert into note values ($1)', [n]);
    work.raise(Counted.of({ key: 'a'.repeat(1_000), n }));
  }, cause);
const state = (wanted: string): Promise<unknown> =>
  settled(`the budget is ${wanted}`, () => budget.status().state === wanted);
const cursorAt = (position: string | number, pending: string[] = []): Promise<unknown> =>
  service.pool.query(
    `insert into aura.relay_cursor (position, pending, cluster) values (${position}, $1, 'x')
         on conflict (only_row) do update set position = ${position}, pending = $1`,
    [JSON.stringify(pending)],
  );
const LAST = '(select max(position) from aura.outbox)';

/** How many of the days of 2019 the look plans. */
const planned = async (from: Date | undefined): Promise<number> => {
  const [, select = ''] = measureText(from).split(';');
  const plan = await service.rows<{ 'QUERY PLAN': string }>(`explain ${select}`);
  return new Set(plan.flatMap((row) => row['QUERY PLAN'].match(/outbox_2019\d+/g) ?? [])).size;
};

describe('the budget of the outbox', () => {
  it('G3: full, it refuses what a request raises, whole; what events and tasks raise passes', async () => {
    started({ limits: { maxBytes: 20_000 } });
    for (let n = 0; n < 30; n++) await raise(n).catch(() => undefined);
    await state('full');
    const before = await service.rows('select from note');
    const refused = raise(99);
    await expect(refused).rejects.toThrow(OutboxFullError);
    await expect(refused).rejects.toThrow(TransientError);
    await expect(refused).rejects.toThrow(
      /^shop takes no new work: about \d+ events \(0 MiB\) are not published.*relay and the log/,
    );
    const id = newEventId(new Date());
    await raise(100, {
      kind: 'task',
      taskId: id,
      correlationId: undefined,
      causationId: undefined,
      trace: {},
    });
    expect(await service.rows('select from note')).toHaveLength(before.length + 1);
    expect(await service.rows('select from note where n = 99')).toEqual([]);
    expect(await budget.findings()).toMatchObject([{ code: 'outbox-full', severity: 'alarm' }]);
  });

  it('opens by itself when the relay has caught up, in a replica that does not lead, too', async () => {
    started({ limits: { maxBytes: 20_000 } });
    for (let n = 0; n < 30; n++) await raise(n).catch(() => undefined);
    await state('full');
    await cursorAt(LAST);
    await state('open');
    await raise(200);
    expect(await budget.findings()).toEqual([]);
  });

  it('G2: an alarm comes first', async () => {
    started({ limits: { maxBytes: 20_000 } });
    for (let n = 0; n < 15; n++) await raise(n);
    await state('alarm');
    await raise(100);
    expect(await budget.findings()).toMatchObject([{ code: 'outbox-filling', severity: 'alarm' }]);
  });

  it('G1: counts age, also of what a partition that can’t be reached holds back', async () => {
    started({ limits: { maxAgeMs: 3_600_000 } });
    await raise(1);
    await raise(2);
    await service.pool.query(
      `update aura.outbox set raised_at = now() - interval '2 hours'
        where position = (select min(position) from aura.outbox)`,
    );
    await budget.measure(); // of all: a row does not become older by itself
    await state('full');
    await cursorAt(LAST);
    await state('open');
    const [first] = await service.rows<{ position: string }>(
      'select min(position) as position from aura.outbox',
    );
    await cursorAt(LAST, [first?.position ?? '']);
    expect((await budget.measure()).state).toBe('full');
    expect(budget.status().waiting.rows).toBe(1);
  });

  it('weighs what waits: within a third of what it takes on disk', async () => {
    started();
    await service.pool.query(
      `insert into aura.outbox (event_id, topic, key, type, schema_fingerprint, body, headers)
       select gen_random_uuid(), 'spec.events', 'k' || n % 100, 'spec.Counted', '\\x0102030405060708',
              convert_to(repeat(md5(n::text), 20), 'utf8'), '{"traceparent": "00-4bf92f3577b34da6a3ce"}'
         from generate_series(1, 5000) as n`,
    );
    const [table] = await service.rows<{ bytes: string }>(
      `select pg_table_size('aura.outbox_any_day') as bytes`,
    );
    const { rows, bytes } = (await budget.measure()).waiting;
    expect(rows).toBe(5_000);
    expect(bytes / Number(table?.bytes)).toBeGreaterThan(0.67);
    expect(bytes / Number(table?.bytes)).toBeLessThan(1.33);
    await cursorAt(4_990);
    expect((await budget.measure()).waiting.rows).toBe(10);
  });

  it('G4: plans only the days in which something may wait', async () => {
    started();
    for (let day = 10; day < 30; day++)
      await service.pool.query(
        `create table aura.outbox_201901${day} partition of aura.outbox
         for values from ('2019-01-${day} 00:00:00+00') to ('2019-01-${day} 12:00:00+00')`,
      );
    expect(await planned(undefined)).toBe(20);
    expect(await planned(new Date('2019-01-28T06:00:00Z'))).toBe(2);
    expect(await planned(new Date())).toBe(0);
  });

  it('G4: looks once for a thousand commits', async () => {
    started({ refreshMs: 3_600_000 });
    await settled('it has looked at the start', () => queries === 1);
    for (let n = 0; n < 1_000; n++) budget.raised();
    await raise(1);
    await budget.stop();
    expect(queries).toBe(1);
  });

  it('G4: looks again while something waits, and does not when nothing does', async () => {
    const sleeps = vi.spyOn(globalThis, 'setTimeout');
    const slept = (ms: number): Promise<unknown> =>
      settled(`it sleeps for ${ms} ms`, () => sleeps.mock.calls.some((call) => call[1] === ms));
    started({ refreshMs: 0 });
    await slept(3_600_000);
    expect(sleeps.mock.calls.some((call) => call[1] === 30_000)).toBe(false);
    await raise(1);
    await slept(30_000);
    sleeps.mockClear();
    await cursorAt(LAST);
    budget.raised();
    await slept(3_600_000);
    sleeps.mockRestore();
  });
});
