import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { Pool, type PoolClient } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import type { TopicPartition } from '../event-log.js';
import { Database } from './database.js';
import { MovedOffsets } from './group-offsets.js';
import { beat, claim, join, leave, type Member, rebalance, release } from './groups.js';
import { postgresLog, type PostgresLog } from './postgres-log.js';
import { readMember } from './read.js';

let database: TestDatabase;
let pool: Pool;
let admin: Client;
let log: PostgresLog;
let logDatabase: Database;

beforeEach(async () => {
  database = await testDatabase('groups');
  logDatabase = new Database({
    url: database.url,
    applicationName: 'spec',
    maxConnections: 1,
    statementTimeoutMs: 10_000,
    connectTimeoutMs: 5_000,
  });
  log = postgresLog({ url: database.url });
  await log.createTopics([{ name: 't', partitions: 4 }]);
  await log.append(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => ({ topic: 't', key, value: Buffer.from('x'), headers: {} })),
  );
  pool = new Pool({ connectionString: database.url, max: 8 });
  admin = await database.client();
});
afterEach(async () => {
  await pool.end();
  await logDatabase.end();
  await log.close();
  await database.drop();
});

async function as<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } finally {
    client.release();
  }
}
const member = (id: string = randomUUID()): Member => ({ group: 'g', id });
const joined = async (sessionMs = 60_000): Promise<Member> => {
  const one = member();
  await as((c) => join(c, one, ['t'], sessionMs));
  return one;
};
const numbers = (partitions: readonly TopicPartition[]): number[] => partitions.map((p) => p.partition);
const expire = (one: Member): Promise<unknown> =>
  admin.query(`update aura_log.member set lease_until = now() - interval '1 s' where id = $1`, [one.id]);
const positions = [0, 1, 2, 3].map((partition) => ({ topic: 't', partition, offset: 0n }));
const readable = async (one: Member): Promise<number> =>
  (await as((c) => readMember(c, one, positions, { maxRecords: 100, maxBytes: 1_000_000 }))).length;

async function write(one: Member, offset: bigint): Promise<void> {
  const offsets = new MovedOffsets();
  offsets.note({ topic: 't', partition: 0, offset });
  await offsets.save(logDatabase, one);
}

describe('groups', () => {
  it('F1: a member that was expelled writes down nothing of what another has', async () => {
    const frozen = await joined();
    await as((c) => claim(c, frozen));
    await expire(frozen);
    const heir = await joined();
    await as((c) => claim(c, heir));
    await write(heir, 2n);
    await write(frozen, 1n);
    expect(await log.groupOffsets('g', 't')).toEqual([{ partition: 0, offset: 2n }]);
  });

  it('G2: nobody takes a partition that its owner has not released', async () => {
    const first = await joined();
    expect(await as((c) => claim(c, first))).toHaveLength(4);
    const second = await joined();
    expect(await as((c) => claim(c, second))).toEqual([]);
    const { leaving, kept } = await as((c) => beat(c, first));
    expect([leaving.length, kept.length]).toEqual([2, 2]);
    await as((c) => release(c, first, leaving));
    expect(numbers(await as((c) => claim(c, second))).toSorted((a, b) => a - b)).toEqual(numbers(leaving));
  });

  it('G3, R3: whose lease ran out is expelled, reads nothing, and learns it by its heartbeat', async () => {
    const first = await joined();
    await as((c) => claim(c, first));
    const second = await joined();
    expect(await readable(first)).toBe(4);
    await expire(first);
    expect((await as((c) => beat(c, second))).stale).toBe(true);
    await as((c) => rebalance(c, 'g'));
    expect(await readable(first)).toBe(0);
    expect(await as((c) => claim(c, first))).toEqual([]);
    expect((await as((c) => beat(c, first))).alive).toBe(false);
    expect(await as((c) => claim(c, second))).toHaveLength(4);
    expect(await readable(second)).toBe(4);
  });

  it('a late member whom nobody has expelled renews its lease and stays the owner', async () => {
    const first = await joined();
    await as((c) => claim(c, first));
    await expire(first);
    const standing = await as((c) => beat(c, first));
    expect([standing.alive, standing.kept.length]).toEqual([true, 4]);
    const second = await joined();
    expect(await as((c) => claim(c, second))).toEqual([]);
  });

  it('G1: a rebalance while a member is joining counts it', async () => {
    const members = [await joined(), member()] as const;
    const client = await pool.connect();
    await client.query('begin');
    await join(client, members[1], ['t'], 60_000);
    const rebalancing = as((c) => rebalance(c, 'g'));
    await settled('it waits', async () => {
      const { rowCount } = await admin.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rowCount === 1;
    });
    await client.query('commit');
    client.release();
    await rebalancing;
    const { rows } = await admin.query<{ target: string }>('select distinct target from aura_log.assignment');
    expect(new Set(rows.map((row) => row.target))).toEqual(new Set(members.map((one) => one.id)));
  });

  it('G1: members that join, leave and claim at once leave one owner for each partition', async () => {
    const members = await Promise.all(Array.from({ length: 6 }, () => joined()));
    const [gone, ...stay] = members as [Member, ...Member[]];
    await Promise.all([as((c) => leave(c, gone)), ...stay.map((one) => as((c) => claim(c, one)))]);
    for (const one of stay) {
      await as(async (c) => release(c, one, (await beat(c, one)).leaving));
    }
    for (const one of stay) await as((c) => claim(c, one));
    const { rows } = await admin.query<{ owner: string | null; target: string }>(
      `select owner, target from aura_log.assignment where consumer_group = 'g'`,
    );
    expect(rows).toHaveLength(4);
    for (const { owner, target } of rows) expect(owner).toBe(target);
    expect(rows.map((row) => row.owner)).not.toContain(gone.id);
  });

  it('G4: join, leave and expulsion raise the generation', async () => {
    const first = await joined();
    const generation = async (): Promise<bigint> => (await as((c) => beat(c, first))).generation;
    expect(await generation()).toBe(1n);
    const second = await joined();
    expect(await generation()).toBe(2n);
    await as((c) => leave(c, second));
    expect(await generation()).toBe(3n);
  });

  it('a topic that is created later is stale until somebody rebalances', async () => {
    const first = member();
    await as((c) => join(c, first, ['t', 'late'], 60_000));
    await as((c) => claim(c, first));
    expect((await as((c) => beat(c, first))).stale).toBe(false);
    await log.createTopics([{ name: 'late', partitions: 2 }]);
    expect((await as((c) => beat(c, first))).stale).toBe(true);
    await as((c) => rebalance(c, 'g'));
    expect(await as((c) => claim(c, first))).toEqual(
      [0, 1].map((partition) => ({ topic: 'late', partition })),
    );
  });
});
