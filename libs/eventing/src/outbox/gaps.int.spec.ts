import type { Queryable } from '@aura/platform';
import { settled } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { entryRow, OutboxKit } from '../../test/outbox-kit.js';
import { secondCluster, type SecondCluster } from '../../test/second-cluster.js';
import { LockSession } from './lock-session.js';
import { insertOutboxRows } from './outbox.js';
import { READ } from './relay-store.js';

const ROLLED_BACK = 1_000_000;

// A cluster of its own: a transaction as long as the bulk's keeps the gaps of everybody who shares one.
let cluster: SecondCluster;
let kit: OutboxKit;
beforeAll(async () => {
  cluster = await secondCluster();
});
afterAll(() => cluster.stop());
beforeEach(async () => {
  kit = await cluster.here(() => OutboxKit.make('gaps'));
});
afterEach(() => kit.drop());

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  Plans?: PlanNode[];
}
const nodes = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodes)];

/** Scans of the outbox in the relay's read of one gap, and the rows that they give. */
async function readOf(session: Queryable, first: number, last: number) {
  const types = 'bigint, bigint[], bigint[], int, int, int';
  await session.query({ text: `prepare gap(${types}) as ${READ.text}` });
  const { rows } = await session.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>({
    text: `explain (analyze, format json)
           execute gap(${last + 1}, '{${first}}', '{${last}}', 500, 4000000, 500)`,
  });
  const plan = nodes(rows[0]?.['QUERY PLAN'][0]?.Plan as PlanNode);
  const scans = plan.filter((node) => node['Relation Name']?.startsWith('outbox'));
  return {
    kinds: [...new Set(scans.map((node) => node['Node Type']))],
    rows: scans.reduce((sum, node) => sum + node['Actual Rows'] * node['Actual Loops'], 0),
  };
}

it(`H25: ${ROLLED_BACK} rows that were rolled back at once are one gap, read by the index`, async () => {
  const writer = await kit.database.client();
  await writer.query('begin');
  await writer.query(
    `insert into aura.outbox (event_id, topic, key, type, schema_fingerprint, body, headers)
     select '00000000-0000-7000-8000-000000000000', 'ledger.events', 'k', 'ledger.Entry', '\\x00', '\\x00',
            '{}'
       from generate_series(1, ${ROLLED_BACK})`,
  );
  await kit.raise(entryRow('anna', 1));
  await kit.pool.query(
    `create table read (n int);
     create function note_save() returns trigger language plpgsql as
       $$ begin insert into read values (jsonb_array_length(new.gaps)); return new; end $$;
     create trigger save after update on aura.relay_cursor for each row execute function note_save()`,
  );
  const relay = kit.relay();
  await relay.runOnce();
  expect((await kit.cursor()).gaps).toHaveLength(1);
  expect(await kit.published()).toHaveLength(1); // what comes after it did not wait
  const session = await LockSession.open({ connectionString: kit.database.url }, () => undefined);
  expect(await readOf(session, 1, ROLLED_BACK)).toEqual({ kinds: ['Index Scan'], rows: 0 });
  await session.close();
  await writer.query('rollback');
  // Whatever transaction is under way on this server keeps a gap.
  await settled('the gap is forgotten', async () => {
    await relay.runOnce();
    return (await kit.cursor()).gaps.length === 0;
  });
  const { rows } = await kit.pool.query<{ most: number }>('select max(n) as most from read');
  expect(rows).toEqual([{ most: 1 }]);
});

it('H25: probes that a limit cuts forget nothing of a bulk that commits late', async () => {
  const bulk = Array.from({ length: 2_000 }, (_, n) => entryRow(`k${n % 7}`, n));
  const writer = await kit.database.client();
  await writer.query('begin');
  await insertOutboxRows(writer, bulk);
  const relay = kit.relay({ limits: { readRows: 100, batchRows: 50, waitingRows: 200 } });
  for (let n = 0; n < 10; n++) await kit.raise(entryRow('anna', n));
  await relay.runOnce();
  expect(await kit.published()).toHaveLength(10);
  await writer.query('commit');
  await settled('all of it is published', async () => {
    await relay.runOnce();
    return (await kit.published()).length === 2_010;
  });
  await relay.runOnce();
  expect(await kit.cursor()).toEqual({ position: 2_010n, gaps: [], pending: [] });
});
