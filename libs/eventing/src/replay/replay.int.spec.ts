import { parseEventHeaders } from '@aura/contracts';
import { kafkaLog, type EventLog, type LogRecord } from '@aura/event-log';
import { silentLogger, TerminalError, TransientError } from '@aura/platform';
import { settled } from '@aura/testing';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, describe, expect, it } from 'vitest';
import { MortalDatabase, type Death } from '../../test/mortal-database.js';
import { entryRow, withAppend } from '../../test/outbox-kit.js';
import { BY_TEST, ReplayKit } from '../../test/replay-kit.js';
import type { ReplaySelection } from '../operations/operations.js';
import { COUNT, PAGE, withOutboxReader } from './replay-rows.js';

const BROKERS = process.env['KAFKA_BROKERS'];
const ACCOUNTS = ['a', 'b', 'c', 'd', 'e'];

let kit: ReplayKit;
// None where its Kafka is missing.
afterEach(() => (kit as ReplayKit | undefined)?.drop());

const order = (serials: readonly number[]): Record<string, number[]> =>
  Object.fromEntries(ACCOUNTS.map((account) => [account, [...serials]]));

interface Where {
  readonly name: string;
  readonly open: () => { log?: EventLog; topic?: string };
  /** The topic with everything in it is gone, and there is a new one. */
  readonly makeAnew: (kit: ReplayKit) => Promise<void>;
}

const onPostgres: Where = {
  name: 'Postgres',
  open: () => ({}),
  async makeAnew({ outbox: { pool, topic, log } }) {
    await pool.query(
      `delete from aura_log.record
        where partition_id in (select id from aura_log.partition where topic = $1)`,
      [topic],
    );
    await pool.query('delete from aura_log.partition where topic = $1', [topic]);
    await pool.query('delete from aura_log.topic where name = $1', [topic]);
    await log.createTopics([{ name: topic, partitions: 4 }]);
  },
};

const onKafka: Where = {
  name: 'Kafka',
  open: () => ({
    log: kafkaLog({ brokers: String(BROKERS).split(','), clientId: 'replay', logger: silentLogger }),
    topic: `replay-${Date.now()}-${Math.random().toString(36).slice(2)}.events`,
  }),
  async makeAnew({ outbox: { topic, log } }) {
    const admin = new Kafka({ brokers: String(BROKERS).split(','), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    await settled('the topic is gone', async () => !(await admin.listTopics()).includes(topic));
    await admin.disconnect();
    await settled('the topic is there again', async () => {
      await log.createTopics([{ name: topic, partitions: 4 }]);
      return (await log.describe([topic])).length === 1;
    });
  },
};

describe.each([onPostgres, onKafka])('over $name', ({ name, open, makeAnew }) => {
  const where = it.skipIf(name === 'Kafka' && !BROKERS);
  const make = async (): Promise<void> => {
    const { log, topic } = open();
    kit = await ReplayKit.make('replay', log, topic);
  };

  where('E7: readers that applied the events skip them, a reader that lost them applies them', async () => {
    await make();
    const [kept, lost] = [await kit.reader('kept'), await kit.reader('lost')];
    await kit.publish(ACCOUNTS, [1, 2, 3]);
    for (const reader of [kept, lost]) {
      await reader.start();
      await reader.caughtUp();
    }
    await lost.pool.query('truncate aura.inbox, applied');
    const job = await kit.replayed({});
    expect(job).toMatchObject({ state: 'done', selected: 15, published: 15 });
    for (const reader of [kept, lost]) {
      await reader.caughtUp();
      expect(await reader.applied()).toEqual(order([1, 2, 3]));
    }
  });

  where('E10: a topic that was deleted is rebuilt: new groups see all, old ones skip it', async () => {
    await make();
    await kit.publish(ACCOUNTS, [1, 2, 3]);
    const old = await kit.reader('old');
    await old.start();
    await old.caughtUp();
    await old.stop();
    await kit.publish(ACCOUNTS, [4]);
    await makeAnew(kit);
    await kit.replayed({});
    const fresh = await kit.reader('new');
    await old.moveToFirst();
    for (const reader of [fresh, old]) {
      await reader.start();
      await reader.caughtUp();
      expect(await reader.applied()).toEqual(order([1, 2, 3, 4]));
    }
  });

  where('a record keeps its id, sequence, time and headers, and names its replay', async () => {
    await make();
    const row = entryRow('a', 1, '', kit.outbox.topic);
    await kit.outbox.raise({ ...row, headers: { correlationid: 'saga-1', causationid: 'cause-1' } });
    await kit.relayAll();
    const { id } = await kit.replayed({ correlationId: 'saga-1' });
    const [first, again] = await kit.outbox.published();
    expect([again?.value, again?.headers]).toEqual([first?.value, { ...first?.headers, replayid: id }]);
    expect(parseEventHeaders(again?.headers ?? {})).toMatchObject({
      id: row.eventId,
      replayId: id,
      correlationId: 'saga-1',
      causationId: 'cause-1',
    });
  });
});

describe('which events', () => {
  it('by topic, position, time, type, key, correlation id and partition, all together', async () => {
    kit = await ReplayKit.make('replay_selection');
    const { pool } = kit.outbox;
    await kit.publish(ACCOUNTS, [1, 2]);
    await pool.query(`update aura.outbox set headers = '{"correlationid":"s"}' where key = 'b'`);
    await pool.query(`update aura.outbox set raised_at = raised_at - interval '1 hour' where position <= 4`);
    const halfAnHour = new Date(Date.now() - 1_800_000);
    const partitionOfA = (await kit.outbox.published()).find(({ key }) => key === 'a')?.partition as number;
    const selected = async (selection: ReplaySelection): Promise<number[]> => {
      const { records } = await kit.replay.count(selection);
      const { id, selected: said } = await kit.replayed(selection);
      const found = (await kit.labelled(id)).map(({ headers }) => Number(headers['ce_sequence']));
      expect([records, said]).toEqual([found.length, found.length]);
      return found.toSorted((a, b) => a - b);
    };
    expect(await selected({})).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await selected({ fromPosition: 3n, toPosition: 6n })).toEqual([3, 4, 5, 6]);
    expect(await selected({ to: halfAnHour })).toEqual([1, 2, 3, 4]);
    expect(await selected({ from: halfAnHour, fromPosition: 4n })).toEqual([5, 6, 7, 8, 9, 10]);
    expect(await selected({ key: 'c', topic: kit.outbox.topic })).toEqual([3, 8]);
    expect(await selected({ correlationId: 's' })).toEqual([2, 7]);
    expect(await selected({ type: 'ledger.Entry', key: 'd' })).toEqual([4, 9]);
    const ofPartition = await selected({ topic: kit.outbox.topic, partitions: [partitionOfA] });
    expect(ofPartition).toEqual(expect.arrayContaining([1, 6]));
    expect(ofPartition.length).toBeLessThan(10);
  });

  it('what the relay has not settled is the relay’s: counted, never published', async () => {
    kit = await ReplayKit.make('replay_unsettled');
    const { pool } = kit.outbox;
    await kit.publish(ACCOUNTS, [1, 2]);
    await kit.outbox.raise(entryRow('z', 1)); // behind the cursor
    await pool.query(`update aura.relay_cursor set gaps = '[["2","3",null]]', pending = '["5"]'`);
    await pool.query(
      `insert into aura.relay_parked_key (topic, key, position, error) values ($1, 'd', 9, '{}')`,
      [kit.outbox.topic],
    );
    expect(await kit.replay.count({})).toMatchObject({ records: 6, notPublished: 5 });
    const { id } = await kit.replayed({});
    const sequences = (await kit.labelled(id)).map(({ headers }) => Number(headers['ce_sequence']));
    expect(sequences.toSorted((a, b) => a - b)).toEqual([1, 4, 6, 7, 8, 10]);
  });

  it.each<[string, ReplaySelection, RegExp]>([
    ['positions that cross', { fromPosition: 5n, toPosition: 4n }, /fromPosition 5 .* toPosition 4/],
    ['times that cross', { from: new Date(2), to: new Date(1) }, /^from .* to /],
    ['a topic that is not there', { topic: 'nobody.events' }, /^topic nobody.events/],
    ['a type that was never raised', { type: 'ledger.Nothing' }, /^type ledger.Nothing/],
    ['partitions of no topic', { partitions: [1] }, /^partitions /],
    ['a partition that the topic has not', { topic: 'ledger.events', partitions: [1, 4] }, /has 4, not 4/],
    ['what retention has dropped', { fromPosition: 7n }, /reaches back to 8/],
  ])('refuses %s, by the name of the field', async (_, selection, words) => {
    kit = await ReplayKit.make('replay_bad');
    await kit.outbox.pool.query(
      `insert into aura.outbox_dropped_day (name, last_position, dropped_at) values ('outbox_1', 7, now())`,
    );
    await expect(kit.start(selection)).rejects.toThrow(words);
    await expect(kit.start({}, 0)).rejects.toThrow(/^perSecond 0 /);
    expect(await kit.replay.list(10)).toEqual([]);
  });

  it.each([
    ['a page', PAGE, ', int, bigint', ', 500, 1000000'],
    ['a count', COUNT, '', ''],
  ])('E9: %s reads by the index of each day, however small', async (_, { text }, types, values) => {
    kit = await ReplayKit.make('replay_plan');
    await kit.publish(ACCOUNTS, [1]);
    await kit.outbox.pool.query('analyze aura.outbox'); // by itself a count would scan so few rows
    const rows = await withOutboxReader(kit.outbox.pool, async (client) => {
      await client.query(
        `prepare asked (bigint, bigint, timestamptz, timestamptz, text, text, text, text${types}) as ${text}`,
      );
      const explained = await client.query<{ 'QUERY PLAN': string }>(
        `explain execute asked (0, 1000, null, null, null, null, null, null${values})`,
      );
      return explained.rows;
    });
    const plan = rows.map((row) => row['QUERY PLAN']).filter((line) => line.includes(' on outbox_'));
    expect(plan.length).toBeGreaterThan(2);
    expect(plan.filter((line) => !line.includes('Index Scan'))).toEqual([]);
  });
});

describe('a job', () => {
  it.each<Death>(['before', 'after'])(
    'E8: its process dies at any statement (%s it is done): nothing is skipped or inverted',
    async (death) => {
      kit = await ReplayKit.make('replay_crash');
      const mortal = new MortalDatabase(kit.outbox.database.url);
      await mortal.open();
      const units = { ...kit.units, dataSource: mortal.dataSource };
      await kit.publish(ACCOUNTS, [1, 2, 3]);
      const limits = { pageRows: 4, saveEveryMs: 0 };
      for (let statement = 1, died = true; died; statement++) {
        const { id } = await kit.start({});
        mortal.dieAt(statement, death, () => undefined);
        const dying = kit.runner({ ...limits, units, pool: mortal.pool });
        await dying.runOnce().catch(() => undefined); // its own death is all that may go wrong
        died = mortal.dead;
        await dying.stop(1);
        mortal.revive();
        await kit.outbox.pool.query('update aura.task set lease_until = null, due_at = now()');
        await kit.runner(limits).runOnce();
        expect(await kit.job(id)).toMatchObject({ state: 'done', position: 15n });
        expect(inFirstOrder(await kit.labelled(id))).toEqual(order([1, 2, 3]));
        if (!died) expect(statement).toBeGreaterThan(15);
      }
      await mortal.dataSource.destroy();
    },
    120_000,
  );

  it('E2: what the log did not take is sent again before anything later of its key', async () => {
    kit = await ReplayKit.make('replay_partial');
    await kit.publish(ACCOUNTS, [1, 2, 3, 4]);
    let appends = 0;
    const flaky = withAppend(kit.outbox.log, async (records) => {
      if (++appends % 3 === 0) throw new TransientError('the log is away');
      if (appends % 2 === 0) return kit.outbox.log.append(records);
      const taken = new Set(['a', 'c']); // every other partition fails
      const result = await kit.outbox.log.append(records.filter(({ key }) => taken.has(key)));
      const place = records.flatMap(({ key }, index) => (taken.has(key) ? [index] : []));
      return {
        acknowledged: result.acknowledged.map((ack) => ({
          ...ack,
          indexes: ack.indexes.map((index) => place[index] as number),
        })),
        failed: [],
      };
    });
    const { id } = await kit.start({});
    await kit
      .runner({ log: flaky, pageRows: 7, backoff: { initialBackoffMs: 1, maxBackoffMs: 1 } })
      .runOnce();
    expect(await kit.job(id)).toMatchObject({ state: 'done', published: 20, error: undefined });
    const records = await kit.labelled(id);
    expect(records).toHaveLength(20);
    expect(inFirstOrder(records)).toEqual(order([1, 2, 3, 4]));
  });

  it('a record that the log refuses for good ends it, and says which', async () => {
    kit = await ReplayKit.make('replay_refused');
    await kit.publish(ACCOUNTS, [1]);
    const log = withAppend(kit.outbox.log, (records) =>
      Promise.resolve({
        acknowledged: [],
        failed: [
          {
            topic: kit.outbox.topic,
            partition: 0,
            indexes: records.map((_, i) => i),
            error: new TerminalError('too large'),
          },
        ],
      }),
    );
    const { id } = await kit.start({});
    await kit.runner({ log }).runOnce();
    expect(await kit.job(id)).toMatchObject({
      state: 'failed',
      error: expect.stringMatching(/position 1 .*too large/),
    });
  });

  it('E8: a stop of its service costs nothing: the next replica goes on where it was', async () => {
    kit = await ReplayKit.make('replay_stop');
    await kit.publish(ACCOUNTS, [1, 2, 3]);
    const { id } = await kit.start({});
    const second = Promise.withResolvers<void>();
    let appends = 0;
    const log = withAppend(kit.outbox.log, async (records) => {
      if (++appends === 1) return kit.outbox.log.append(records);
      second.resolve();
      throw new TransientError('the log is away');
    });
    const stopping = kit.runner({ log, pageRows: 5, saveEveryMs: 0 });
    stopping.start();
    await second.promise;
    await stopping.stop(1);
    expect(await kit.job(id)).toMatchObject({ state: 'running', position: 5n });
    await kit.runner({ pageRows: 5 }).runOnce();
    expect(await kit.job(id)).toMatchObject({ state: 'done', published: 15, error: undefined });
    expect(await kit.labelled(id)).toHaveLength(15);
  });

  it('E9: does not keep the relay from publishing, however long its own append takes', async () => {
    kit = await ReplayKit.make('replay_beside');
    await kit.publish(ACCOUNTS, [1]);
    const { id } = await kit.start({});
    const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const log = withAppend(kit.outbox.log, async (records) => {
      begun.resolve();
      await go.promise;
      return kit.outbox.log.append(records);
    });
    const running = kit.runner({ log }).runOnce();
    await begun.promise;
    await kit.publish(ACCOUNTS, [2]);
    expect(await kit.outbox.published()).toHaveLength(10);
    go.resolve();
    await running;
    expect(await kit.job(id)).toMatchObject({ state: 'done', published: 5 });
  });

  it('E9: keeps its rate', async () => {
    kit = await ReplayKit.make('replay_rate');
    await kit.publish(ACCOUNTS, [1, 2, 3]);
    const begun = performance.now();
    const { id } = await kit.start({}, 50);
    await kit.runner({ pageRows: 5 }).runOnce();
    expect(await kit.job(id)).toMatchObject({ state: 'done', published: 15, perSecond: 50 });
    expect(performance.now() - begun).toBeGreaterThan(190); // the third page not before 10/50 s
  });

  it('cancelled in the middle, it ends at the next save, and the next one begins', async () => {
    kit = await ReplayKit.make('replay_cancel');
    await kit.publish(ACCOUNTS, [1, 2, 3]);
    const [first, second] = [await kit.start({}), await kit.start({ key: 'a' })];
    const log = withAppend(kit.outbox.log, async (records) => {
      const result = await kit.outbox.log.append(records);
      if (records[0]?.headers['replayid'] === first.id) await kit.replay.cancel(first.id, BY_TEST);
      return result;
    });
    const runner = kit.runner({ log, pageRows: 5, saveEveryMs: 0 });
    await runner.runOnce();
    expect(await kit.job(first.id)).toMatchObject({ state: 'cancelled', published: 5 });
    expect((await kit.labelled(first.id)).length).toBe(5);
    await runner.runOnce();
    expect(await kit.job(second.id)).toMatchObject({ state: 'done', published: 3 });
    expect(await kit.outbox.pool.query('select from aura.task')).toMatchObject({ rows: [] });
    await expect(kit.replay.cancel(second.id, BY_TEST)).rejects.toThrow('has ended already: it is done');
  });

  it('two that are asked for at once run one after the other, by whatever replica', async () => {
    kit = await ReplayKit.make('replay_queue');
    await kit.publish(ACCOUNTS, [1, 2, 3]);
    const jobs = await Promise.all([kit.start({}), kit.start({}), kit.start({ key: 'a' })]);
    const runners = [kit.runner({ pageRows: 2 }), kit.runner({ pageRows: 2 })];
    for (const runner of runners) runner.start();
    await settled('all are done', async () =>
      (await kit.replay.list(10)).every(({ state }) => state === 'done'),
    );
    const ids = (await kit.labelled()).toSorted((a, b) => a.timestampMs - b.timestampMs);
    expect(ids).toHaveLength(33);
    const ended = (await kit.replay.list(10)).toReversed();
    expect(ended.map(({ id }) => id).toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
    for (const [i, job] of ended.slice(1).entries())
      expect(Number(job.endedAt)).toBeGreaterThan(Number(ended[i]?.endedAt));
  });

  it('O1, O2: a dry run changes nothing; begin and cancel are written down with their reason', async () => {
    kit = await ReplayKit.make('replay_audit');
    await kit.publish(ACCOUNTS, [1]);
    const dry = await kit.replay.start({}, undefined, { ...BY_TEST, dryRun: true });
    expect(dry).toMatchObject({ selected: 5, state: 'running' });
    expect(await kit.replay.list(10)).toEqual([]);
    const { id } = await kit.start({});
    await kit.replay.cancel(id, { ...BY_TEST, reason: 'the wrong one' });
    const { rows } = await kit.outbox.pool.query('select what, reason, by from aura.operation order by id');
    expect(rows).toEqual([
      { what: 'replay outbox', reason: 'a test wants it', by: 'test' },
      { what: 'replay cancel', reason: 'the wrong one', by: 'test' },
    ]);
  });
});

/** Serials by account, each at its first appearance in the account's partition. */
function inFirstOrder(records: readonly LogRecord[]): Record<string, number[]> {
  const found: Record<string, number[]> = {};
  for (const { key, headers } of records.toSorted((a, b) => (a.offset < b.offset ? -1 : 1))) {
    const serial = Math.ceil(Number(headers['ce_sequence']) / ACCOUNTS.length);
    const seen = (found[key] ??= []);
    if (!seen.includes(serial)) seen.push(serial);
  }
  return Object.fromEntries(Object.entries(found).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
