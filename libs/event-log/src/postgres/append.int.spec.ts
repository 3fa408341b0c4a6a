import type { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TransientError } from '@aura/platform';
import { seeded, settled, testDatabase, type TestDatabase } from '@aura/testing';
import type { EventLog, NewRecord } from '../event-log.js';
import { partitionOf } from '../partition-of.js';
import { postgresLog, type PostgresLogOptions } from './postgres-log.js';
import { RECORDS_CHANNEL } from './wake-up.js';

let database: TestDatabase;
let client: Client;
const logs: EventLog[] = [];
const open = (options: Partial<PostgresLogOptions> = {}): EventLog => {
  const log = postgresLog({ url: database.url, ...options });
  logs.push(log);
  return log;
};

beforeEach(async () => {
  database = await testDatabase('append');
  client = await database.client();
});
afterEach(async () => {
  await Promise.all(logs.splice(0).map((log) => log.close()));
  await database.drop();
});

/** A key of each partition, by its number. */
const keys = (count: number): string[] => {
  const found: string[] = [];
  for (let i = 0; found.filter(Boolean).length < count; i++) found[partitionOf(`k${i}`, count)] ??= `k${i}`;
  return found;
};
const record = (topic: string, key: string | undefined, value = 'x'): NewRecord => ({
  topic,
  key: key ?? '',
  value: Buffer.from(value),
  headers: {},
});
const waitingForLock = async (count = 1): Promise<boolean> => {
  const { rows } = await client.query(
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rows.length >= count;
};

describe('append', () => {
  it('H32: an append that waits for a partition holds no later one', async () => {
    const log = open();
    await log.createTopics([{ name: 't', partitions: 2 }]);
    const [zero, one] = keys(2);
    await log.append([record('t', zero)]); // moves its row behind the other on disk: the wrong order
    await client.query('begin');
    await client.query(`select from aura_log.partition where partition = 0 for update`);
    const appended = log.append([record('t', one), record('t', zero)]);
    await settled('the append waits', () => waitingForLock());
    const other = await database.client();
    await expect(
      other.query(`select from aura_log.partition where partition = 1 for update nowait`),
    ).resolves.toMatchObject({ rowCount: 1 });
    await client.query('rollback');
    expect((await appended).failed).toEqual([]);
  });

  it('H32: appenders never deadlock, in whatever order they name partitions; no gaps', async () => {
    const random = seeded('H32');
    const writers = [open(), open(), open(), open()];
    await writers[0]?.createTopics([{ name: 't', partitions: 12 }]);
    let appended = 0;
    await Promise.all(
      writers.map(async (log) => {
        for (let round = 0; round < 60; round++) {
          const batch = Array.from({ length: 1 + random.int(40) }, () => record('t', `k${random.int(500)}`));
          expect((await log.append(batch)).failed).toEqual([]);
          appended += batch.length;
        }
      }),
    );
    const { rows } = await client.query<{ next: string; count: string; last: string }>(
      `select p.next, count(*), max(r."offset") + 1 as last
         from aura_log.partition p join aura_log.record r on r.partition_id = p.id group by p.id`,
    );
    expect(rows.reduce((sum, row) => sum + Number(row.count), 0)).toBe(appended);
    for (const row of rows) expect([row.count, row.last]).toEqual([row.next, row.next]);
  });

  it('A4: notifies once per batch, each topic named once', async () => {
    const log = open();
    await log.createTopics(['t', 'u'].map((name) => ({ name, partitions: 3 })));
    const heard: (string | undefined)[] = [];
    client.on('notification', ({ payload }) => heard.push(payload));
    await client.query(`listen ${RECORDS_CHANNEL}`);
    await log.append(keys(3).flatMap((key) => [record('t', key), record('u', key), record('t', key)]));
    await log.append([record('u', 'a')]);
    await settled('both', () => heard.includes('u'));
    expect(heard).toEqual(['t u', 'u']);
  });

  it('L2: what a failed statement leaves unsent stays unsent, later records of its keys too', async () => {
    const log = open({ maxStatementBytes: 2_000, statementTimeoutMs: 400 });
    await log.createTopics([{ name: 't', partitions: 2 }]);
    const [zero, one] = keys(2);
    const batch = [
      ...Array.from({ length: 3 }, (_, i) => record('t', zero, String(i).padEnd(900))),
      ...Array.from({ length: 4 }, (_, i) => record('t', one, String(i).padEnd(900))),
    ];
    await client.query('begin');
    await client.query(`select from aura_log.partition where partition = 1 for update`);
    const { acknowledged, failed } = await log.append(batch);
    await client.query('rollback');
    expect(acknowledged.flatMap((ack) => ack.indexes)).toEqual([0, 1]);
    expect(failed.flatMap((f) => f.indexes).toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6]);
    for (const { error } of failed) expect(error).toBeInstanceOf(TransientError);
    expect(await log.bounds('t')).toMatchObject([{ end: 2n }, { end: 0n }]);
    const again = await log.append(
      failed.flatMap((f) => f.indexes).map((index) => batch[index] as NewRecord),
    );
    expect(again.failed).toEqual([]);
  });

  it('a connection killed under an append rejects as transient; the next append has another', async () => {
    const log = open();
    await log.createTopics([{ name: 't', partitions: 1 }]);
    await client.query('begin');
    await client.query(`select from aura_log.partition for update`);
    // From the beginning: it may reject before the answer to the one who kills it.
    const refused = expect(log.append([record('t', 'a')])).rejects.toBeInstanceOf(TransientError);
    await settled('the append waits', () => waitingForLock());
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`,
    );
    await refused;
    await client.query('rollback');
    expect((await log.append([record('t', 'a')])).acknowledged).toMatchObject([{ firstOffset: 0n }]);
  });

  it('P3: times never fall within a partition, even when the clock does', async () => {
    const log = open();
    await log.createTopics([{ name: 't', partitions: 1 }]);
    await client.query(`update aura_log.partition set last_at = now() + interval '1 hour'`);
    await log.append([record('t', 'a')]);
    const { rows } = await client.query(
      `select from aura_log.record where appended_at > now() + interval '59 min'`,
    );
    expect(rows).toHaveLength(1);
  });

  it('many processes that start at once on an empty database migrate it once', async () => {
    const starting = Array.from({ length: 6 }, () => open());
    await Promise.all(starting.map((log, i) => log.createTopics([{ name: `t${i % 2}`, partitions: 3 }])));
    expect(await starting[0]?.describe(['t0', 't1'])).toEqual([
      { name: 't0', partitions: 3 },
      { name: 't1', partitions: 3 },
    ]);
    const { rows } = await client.query('select id from aura_log.migration order by id');
    expect(rows).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('refuses a schema that is newer than itself', async () => {
    await open().ping(5_000);
    await client.query(`insert into aura_log.migration (id, name) values (9999, 'from the future')`);
    await expect(open().ping(5_000)).rejects.toMatchObject({
      kind: 'invariant',
      message: /deploy the newer/,
    });
  });
});
