import { run } from '@aura/platform';
import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OutboxKit } from '../../test/outbox-kit.js';
import { LockSession } from './lock-session.js';
import { READ, readOutbox } from './relay-store.js';

const ROWS = 300_000;
const DAYS = 30;
const LIMITS = { rows: 500, fresh: 500, bytes: 4 * 1024 * 1024 };

let kit: OutboxKit;
let client: Client;
let session: LockSession;
beforeAll(async () => {
  kit = await OutboxKit.make('read_plan');
  client = await kit.database.client();
  for (let day = 1; day <= DAYS; day++)
    await client.query(
      `create table aura.outbox_old_${day} partition of aura.outbox
       for values from ('2020-01-01 00:00:00+00'::timestamptz + interval '${day} days')
                    to ('2020-01-01 00:00:00+00'::timestamptz + interval '${day + 1} days')`,
    );
  await client.query(
    `insert into aura.outbox (event_id, topic, key, type, schema_fingerprint, body, headers, raised_at)
     select gen_random_uuid(), 'ledger.events', 'k' || n % 16, 'ledger.Entry', '\\x00', '\\x0102030405', '{}',
            '2020-01-02 00:00:00+00'::timestamptz + interval '1 day' * (n * ${DAYS} / (${ROWS} + 1))
       from generate_series(1, ${ROWS}) as n`,
  );
});
afterAll(() => kit.drop());
beforeEach(async () => {
  session = await LockSession.open({ connectionString: kit.database.url }, () => undefined);
});
afterEach(() => session.close());

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

const nodes = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodes)];

/** As the relay's session runs it: prepared, one plan for whatever values come. */
async function explain(text: string, types: string, values: string, on = session): Promise<PlanNode[]> {
  await on.query({ text: `prepare explained(${types}) as ${text}` });
  const { rows } = await on.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>({
    text: `explain (analyze, format json) execute explained(${values})`,
  });
  await on.query({ text: 'deallocate explained' });
  const [plan] = rows[0]?.['QUERY PLAN'] ?? [];
  if (!plan) throw new Error('no plan');
  return nodes(plan.Plan);
}

const rowsTouched = (plan: readonly PlanNode[]): number =>
  plan
    .filter((node) => node['Relation Name']?.startsWith('outbox'))
    .reduce((sum, node) => sum + (node['Actual Rows'] ?? 0) * (node['Actual Loops'] ?? 0), 0);
const scans = (plan: readonly PlanNode[]): string[] =>
  plan.filter((node) => node['Relation Name']?.startsWith('outbox')).map((node) => node['Node Type']);

const OR = `select position, body from aura.outbox
  where position > $1 or exists (select from unnest($2::bigint[], $3::bigint[]) as gap(first, last)
                                  where position between gap.first and gap.last)
  order by position limit 500`;
const TYPES = 'bigint, bigint[], bigint[], int, int, int';

describe('H47: the plan of the read, with 300,000 rows in 33 partitions', () => {
  it.each([
    ['nothing new', `${ROWS}, '{}', '{}'`],
    ['everything new', `0, '{}', '{}'`],
    ['gaps behind', `${ROWS}, '{5,1000,150000}', '{5,1002,150000}'`],
  ])('H47: by the index of every partition, no more rows than it gives: %s', async (_, values) => {
    const plan = await explain(READ.text, TYPES, `${values}, 500, 4000000, 500`);
    expect([...new Set(scans(plan))]).toEqual(['Index Scan']);
    expect(rowsTouched(plan)).toBeLessThanOrEqual(500 + 33);
  });

  it('H47: with statistics, too', async () => {
    await session.close();
    await client.query('analyze aura.outbox');
    session = await LockSession.open({ connectionString: kit.database.url }, () => undefined);
    const plan = await explain(
      READ.text,
      TYPES,
      `${ROWS}, '{5,1000,150000}', '{5,1002,150000}', 500, 4000000, 500`,
    );
    expect([...new Set(scans(plan))]).toEqual(['Index Scan']);
    expect(rowsTouched(plan)).toBeLessThanOrEqual(500 + 33);
  });

  it('H47: planned while the outbox was empty: that plan stays, and the outbox grows', async () => {
    const young = await OutboxKit.make('read_plan_young');
    await young.pool.query('analyze aura.outbox');
    const early = await LockSession.open({ connectionString: young.database.url }, () => undefined);
    const plan = await explain(READ.text, TYPES, `0, '{1}', '{2}', 500, 4000000, 500`, early);
    expect([...new Set(scans(plan))]).toEqual(['Index Scan']);
    await early.close();
    await young.drop();
  });

  it('H47: written with one `or`, it walks through the whole history', async () => {
    const plan = await explain(
      OR,
      'bigint, bigint[], bigint[]',
      `${ROWS}, '{5,1000,150000}', '{5,1002,150000}'`,
    );
    const walked = plan
      .filter((node) => node['Relation Name']?.startsWith('outbox'))
      .reduce((sum, node) => sum + (node['Rows Removed by Filter'] ?? 0), 0);
    expect(walked).toBeGreaterThan(ROWS / 2);
  });
});

describe('the read', () => {
  it('C1: gives gaps and what is past, in position order, cut by rows', async () => {
    const gaps = [
      { first: 5n, last: 6n, xid: 1n },
      { first: 900n, last: 902n, xid: 1n },
    ];
    const read = await readOutbox(session, 299_990n, gaps, { ...LIMITS, rows: 8 });
    expect(read.rows.map((row) => Number(row.position))).toEqual([
      5, 6, 900, 901, 902, 299_991, 299_992, 299_993,
    ]);
    expect(read.cut).toBe(true);
  });

  it('E9: is cut by bytes, but never to nothing', async () => {
    const whole = await readOutbox(session, 0n, [], { ...LIMITS, bytes: 2_000 });
    expect(whole.rows.length).toBeGreaterThan(1);
    expect(whole.rows.length).toBeLessThan(10);
    expect(whole.cut).toBe(true);
    const one = await readOutbox(session, 0n, [], { ...LIMITS, bytes: 1 });
    expect([one.rows.length, one.cut]).toEqual([1, true]);
  });

  it('gives the snapshot where there is nothing to read, and is not cut', async () => {
    // Other specs' transactions are of the same server: which one is the oldest changes, but only forward.
    const before = await oldestUnderWay();
    const read = await readOutbox(session, BigInt(ROWS), [], LIMITS);
    const after = await oldestUnderWay();
    expect(read).toMatchObject({ rows: [], cut: false, pid: session.pid });
    expect(read.xmin).toBeGreaterThanOrEqual(before);
    expect(read.xmin).toBeLessThanOrEqual(after);
  });
});

async function oldestUnderWay(): Promise<bigint> {
  const text = 'select pg_snapshot_xmin(pg_current_snapshot())::text as xmin';
  const [row] = await run<{ xmin: string }>(client, { name: 'oldest_under_way', text });
  return BigInt(row?.xmin ?? 0);
}
