import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settled, testDatabase, type TestDatabase } from '@aura/testing';
import type { LogRecord, NewRecord, SubscribeOptions, Subscription } from '../event-log.js';
import { postgresLog, type PostgresLog, type PostgresLogOptions } from './postgres-log.js';

let database: TestDatabase;
let admin: Client;
const logs: PostgresLog[] = [];
const open = (options: Partial<PostgresLogOptions> = {}): PostgresLog => {
  const log = postgresLog({ url: database.url, ...options });
  logs.push(log);
  return log;
};
/** So rarely that only a notification can be what woke the reader. */
const DEAF = { pollMs: 3_600_000 };

beforeEach(async () => {
  database = await testDatabase('subscription');
  admin = await database.client();
});
afterEach(async () => {
  await Promise.all(logs.splice(0).map((log) => log.close()));
  await database.drop();
});

const record = (key: string, topic = 't'): NewRecord => ({
  topic,
  key,
  value: Buffer.from(key),
  headers: {},
});
const count = async (where: string): Promise<number> =>
  (await admin.query(`select from pg_stat_activity where datname = current_database() and ${where}`))
    .rowCount ?? 0;

async function subscribe(
  log: PostgresLog,
  options: Partial<SubscribeOptions> = {},
): Promise<{ got: LogRecord[]; subscription: Subscription }> {
  const got: LogRecord[] = [];
  const subscription = await log.subscribe({
    group: randomUUID(),
    topics: ['t'],
    onAssigned: (partitions) => Promise.resolve(partitions.map((p) => ({ ...p, offset: 0n }))),
    onRevoked: () => Promise.resolve(),
    onPartitionError: () => undefined,
    onError: () => undefined,
    onBatches: (batches) => {
      got.push(...batches.flatMap((b) => b.records));
      return Promise.resolve(
        batches.map(({ topic, partition, records }) => ({
          topic,
          partition,
          offset: (records.at(-1)?.offset ?? 0n) + 1n,
        })),
      );
    },
    ...options,
  });
  return { got, subscription };
}
const holding = ({ subscription }: { subscription: Subscription }, partitions: number): Promise<true> =>
  settled('the partitions', () => (subscription.assigned().length === partitions ? true : undefined));
const listening = (): Promise<unknown> =>
  settled('LISTEN', async () => (await count(`query ilike 'listen aura_log_groups%'`)) > 0);

describe('subscription', () => {
  it('is woken by the append, not by its poll', async () => {
    const log = open(DEAF);
    await log.createTopics([{ name: 't', partitions: 2 }]);
    const reader = await subscribe(log);
    await holding(reader, 2);
    await listening();
    for (let i = 1; i <= 5; i++) {
      await open().append([record(`k${i}`)]);
      await settled('the record', () => reader.got.length === i);
    }
  });

  it('L6: listens again after its connection was killed', async () => {
    const log = open(DEAF);
    await log.createTopics([{ name: 't', partitions: 2 }]);
    const reader = await subscribe(log);
    await holding(reader, 2);
    await listening();
    await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and query ilike 'listen %'`,
    );
    await listening();
    await log.append([record('a')]);
    await settled('the record', () => reader.got.length === 1);
  });

  it('polls for what no notification told', async () => {
    const log = open({ pollMs: 50 });
    await log.createTopics([{ name: 't', partitions: 1 }]);
    const reader = await subscribe(log);
    await holding(reader, 1);
    await listening();
    await admin.query(
      `with p as (update aura_log.partition set next = next + 1 returning id)
       insert into aura_log.record select id, 0, 'k', '', '{}', now() from p`,
    );
    await settled('the record', () => reader.got.length === 1);
  });

  it('gets a topic that is created after it subscribed', async () => {
    const log = open(DEAF);
    await log.ping(5_000);
    const reader = await subscribe(log, { sessionTimeoutMs: 3_600_000 });
    await listening();
    await log.createTopics([{ name: 't', partitions: 3 }]);
    await holding(reader, 3);
    await log.append([record('a')]);
    await settled('the record', () => reader.got.length === 1);
  });

  it('S2, L5: what arrives after the lease ran out waits until the member has asked', async () => {
    const log = open();
    await log.createTopics([{ name: 't', partitions: 1 }]);
    const reader = await subscribe(log, { sessionTimeoutMs: 2_000 });
    await holding(reader, 1);
    reader.subscription.pause([{ topic: 't', partition: 0 }]);
    await log.append([record('a')]);
    const table = await database.client();
    await table.query('begin');
    await table.query('lock table aura_log.record in access exclusive mode'); // holds the read back
    reader.subscription.resume([{ topic: 't', partition: 0 }]);
    // Not inside a transaction: that would see pg_stat_activity as it was at its first look.
    const observer = await database.client();
    const waiting = async (query: string): Promise<number> => {
      const { rowCount } = await observer.query(
        `select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock' and query like $1`,
        [query],
      );
      return rowCount ?? 0;
    };
    await settled('the read waits', async () => (await waiting('with wanted%')) === 1);
    await admin.query('begin');
    await admin.query('select from aura_log.member for update'); // holds the heartbeat back
    await settled('the lease is over', () => !reader.subscription.healthy());
    await table.query('commit');
    // Two heartbeats wait: the heart's, and the one by which the delivery asks before it goes on.
    await settled(
      'the member asks, or delivers',
      async () => (await waiting('with beat%')) === 2 || reader.got.length > 0,
    );
    expect(reader.got).toEqual([]);
    await admin.query('commit');
    await settled('then it delivers', () => reader.got.length === 1);
  });

  it('a member that is stopped during a read starts no unit with what the read brings', async () => {
    const log = open();
    await log.createTopics([{ name: 't', partitions: 1 }]);
    const units: string[] = [];
    const reader = await subscribe(log, {
      onBatches: () => {
        units.push('unit');
        return Promise.resolve([]);
      },
    });
    await holding(reader, 1);
    reader.subscription.pause([{ topic: 't', partition: 0 }]);
    await log.append([record('a')]);
    const table = await database.client();
    await table.query('begin');
    await table.query('lock table aura_log.record in access exclusive mode'); // holds the read back
    reader.subscription.resume([{ topic: 't', partition: 0 }]);
    await settled(
      'the read waits',
      async () => (await count(`wait_event_type = 'Lock' and query like 'with wanted%'`)) === 1,
    );
    const stopped = reader.subscription.stop();
    await table.query('commit');
    await stopped;
    expect(units).toEqual([]);
  });

  it('L5: a member expelled during a read starts no unit with what the read brings', async () => {
    const log = open();
    await log.createTopics([{ name: 't', partitions: 1 }]);
    const happened: string[] = [];
    const reader = await subscribe(log, {
      sessionTimeoutMs: 3_000,
      onAssigned: (partitions) => {
        happened.push('assigned');
        return Promise.resolve(partitions.map((p) => ({ ...p, offset: 0n })));
      },
      onRevoked: () => {
        happened.push('revoked');
        return Promise.resolve();
      },
      onBatches: (batches) => {
        happened.push('unit');
        return Promise.resolve(batches.map(({ topic, partition }) => ({ topic, partition, offset: 1n })));
      },
    });
    await holding(reader, 1);
    reader.subscription.pause([{ topic: 't', partition: 0 }]);
    await log.append([record('a')]);
    const table = await database.client();
    await table.query('begin');
    await table.query('lock table aura_log.record in access exclusive mode'); // holds the read back
    reader.subscription.resume([{ topic: 't', partition: 0 }]);
    await settled(
      'the read waits',
      async () => (await count(`wait_event_type = 'Lock' and query like 'with wanted%'`)) === 1,
    );
    await admin.query('delete from aura_log.member');
    await settled('it knows', () => !reader.subscription.healthy());
    await table.query('commit');
    await settled('a unit', () => happened.includes('unit'));
    expect(happened).toEqual(['assigned', 'revoked', 'assigned', 'unit']);
  });

  it('L5: a member expelled during its unit is told, loses all unclean, and joins again', async () => {
    const log = open();
    await log.createTopics([{ name: 't', partitions: 2 }]);
    await log.append([record('a')]);
    const happened: string[] = [];
    let end: (() => void) | undefined;
    await subscribe(log, {
      sessionTimeoutMs: 600,
      onAssigned: (partitions) => {
        happened.push(`assigned ${partitions.length}`);
        return Promise.resolve(partitions.map((p) => ({ ...p, offset: 0n })));
      },
      onBatches: (_, { signal }) => {
        happened.push('unit');
        signal.addEventListener('abort', () => happened.push('told'));
        return new Promise((resolve) => (end = () => resolve([])));
      },
      onRevoked: (partitions, clean) => {
        happened.push(`${clean ? 'clean' : 'unclean'} ${partitions.length}`);
        return Promise.resolve();
      },
    });
    await settled('a unit', () => end);
    await admin.query('delete from aura_log.member');
    await settled('it is told', () => happened.includes('told'));
    end?.();
    await settled('a unit again', () => happened.length === 6);
    expect(happened).toEqual(['assigned 2', 'unit', 'told', 'unclean 2', 'assigned 2', 'unit']);
    end?.();
  });

  it('a member that stops leaves: nobody waits for its lease', async () => {
    const log = open();
    await log.createTopics([{ name: 't', partitions: 2 }]);
    const settings = { group: 'g', sessionTimeoutMs: 3_600_000 };
    const first = await subscribe(log, settings);
    await holding(first, 2);
    await first.subscription.stop();
    await holding(await subscribe(log, settings), 2);
  });

  it('a partition full of large records does not starve the others', async () => {
    const log = open();
    await log.createTopics([{ name: 't', partitions: 3 }]);
    await log.append(Array.from({ length: 60 }, (_, i) => record(`k${i}`)));
    const { got } = await subscribe(log, { maxBytes: 1 }); // one record a unit
    await settled('six units', () => got.length >= 6);
    expect(new Set(got.slice(0, 6).map((r) => r.partition)).size).toBe(3);
  });

  it('uses few connections', async () => {
    const log = open({ applicationName: 'counted' });
    await log.createTopics([{ name: 't', partitions: 3 }]);
    const readers = await Promise.all(Array.from({ length: 6 }, () => subscribe(log)));
    await Promise.all(readers.map((reader) => holding(reader, 3)));
    await Promise.all(Array.from({ length: 40 }, (_, i) => log.append([record(`k${i}`)])));
    await settled('all', () => readers.every(({ got }) => got.length === 40));
    expect(await count(`application_name = 'counted'`)).toBeLessThanOrEqual(5);
    await log.close();
    expect(
      await settled('none is left', async () => (await count(`application_name = 'counted'`)) === 0),
    ).toBe(true);
  });
});

describe('retention', () => {
  it('is kept by a process that only appends', async () => {
    const appending = open({ retentionEveryMs: 20 });
    await appending.createTopics([{ name: 't', partitions: 1, retentionMs: 1 }]);
    await appending.append([record('a')]);
    await settled('deleted', async () => (await appending.bounds('t'))[0]?.first === 1n);
  });

  it('T1, P1: deletes what is past its time, moves `first`, never repeats an offset', async () => {
    const log = open();
    await log.createTopics([
      { name: 't', partitions: 1, retentionMs: 1 },
      { name: 'kept', partitions: 1 },
    ]);
    const many = Array.from({ length: 2_500 }, () => record('a'));
    await log.append([...many, record('a', 'kept')]);
    await settled('all of it went', async () => {
      await log.applyRetention();
      return (await log.bounds('t'))[0]?.first === 2_500n;
    });
    expect((await admin.query('select from aura_log.record')).rowCount).toBe(1);
    expect(await log.bounds('kept')).toEqual([{ partition: 0, first: 0n, end: 1n }]);
    expect((await log.append([record('a')])).acknowledged).toMatchObject([{ firstOffset: 2_500n }]);
  });

  it('leaves a partition that somebody holds for the next round', async () => {
    const log = open();
    await log.createTopics([{ name: 't', partitions: 1 }]);
    await log.append([record('a')]);
    await admin.query('begin');
    await admin.query('select from aura_log.partition for update');
    // Only now: the log applies retention by itself, too.
    await (await database.client()).query('update aura_log.topic set retention_ms = 1');
    await settled('its time has passed', async () => {
      const [first] = await log.offsetsAt('t', new Date(Date.now() - 2));
      return first?.offset === 1n;
    });
    expect(await log.applyRetention()).toBe(0);
    await admin.query('commit');
    expect(await log.applyRetention()).toBe(1);
  });
});
