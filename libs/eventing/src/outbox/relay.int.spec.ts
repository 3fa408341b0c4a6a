import { HEADER, parseEventHeaders } from '@aura/contracts';
import { partitionOf, postgresLog, UnknownTopicError, type EventLog, type LogRecord } from '@aura/event-log';
import { kindOf, TransientError } from '@aura/platform';
import { settled } from '@aura/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { entryRow, OutboxKit, TOPIC, withAppend } from '../../test/outbox-kit.js';
import { insertOutboxRows } from './outbox.js';

let kit: OutboxKit;
beforeEach(async () => {
  kit = await OutboxKit.make('relay');
});
afterEach(() => kit.drop());

const QUICK = { backoff: { initialMs: 1, maxMs: 10 } };
const sequences = (records: readonly LogRecord[]): number[] =>
  records.map((r) => Number(parseEventHeaders(r.headers).sequence)).toSorted((a, b) => a - b);
const numbers = (n: number): number[] => Array.from({ length: n }, (_, at) => at + 1);
const raiseOnKeys = (count: number): Promise<void> =>
  kit.raise(...numbers(count).map((n) => entryRow(`k${n % 10}`, n)));

async function killLeader(): Promise<void> {
  const admin = await kit.database.client();
  await admin.query(
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where datname = current_database() and application_name = 'aura relay'`,
  );
}

/** As kafkajs may: says nothing of a partition that it has not sent to. */
const forgetting = (partition: () => number | undefined): EventLog =>
  withAppend(kit.log, async (records) => {
    const lost = partition();
    const sent = records.flatMap((r, at) => (partitionOf(r.key, 4) === lost ? [] : [at]));
    if (sent.length === 0) return { acknowledged: [], failed: [] };
    const result = await kit.log.append(sent.flatMap((at) => records[at] ?? []));
    const acknowledged = result.acknowledged.map((ack) => ({
      ...ack,
      indexes: ack.indexes.map((index) => sent[index] ?? -1),
    }));
    return { acknowledged, failed: [] };
  });

describe('what is published', () => {
  it('E1: what was committed, with its headers, and not what was rolled back', async () => {
    const writer = await kit.database.client();
    await writer.query('begin');
    await kit.raise({ ...entryRow('anna', 1), headers: { correlationid: 'c1', traceparent: 't1' } });
    await insertOutboxRows(writer, [entryRow('carl', 1)]);
    await writer.query('rollback');
    await kit.raise(entryRow('anna', 2));
    const relay = kit.relay();
    await relay.runOnce();
    const records = await kit.published();
    expect(sequences(records)).toEqual([1, 3]);
    const [first] = records;
    expect(first?.headers).toMatchObject({
      correlationid: 'c1',
      traceparent: 't1',
      [HEADER.subject]: 'anna',
    });
    expect(parseEventHeaders(first?.headers ?? {})).toMatchObject({ type: 'ledger.Entry', source: 'ledger' });
    // Whatever transaction is under way on this server keeps a gap.
    await settled('the gap is forgotten', async () => {
      await relay.runOnce();
      return (await kit.cursor()).gaps.length === 0;
    });
    expect(await kit.cursor()).toEqual({ position: 3n, gaps: [], pending: [] });
  });

  it('E1: the row of a slow transaction when it commits; until then its position is a gap', async () => {
    const slow = await kit.database.client();
    await slow.query('begin');
    await insertOutboxRows(slow, [entryRow('anna', 1)]);
    await kit.raise(entryRow('ben', 1));
    await kit.relay().runOnce();
    const { gaps } = await kit.cursor();
    expect(gaps).toEqual([['1', '1', expect.stringMatching(/^\d+$/)]]);
    await slow.query('commit');
    await killLeader();
    await kit.relay().runOnce();
    expect(sequences(await kit.published())).toEqual([1, 2]);
    expect((await kit.cursor()).gaps).toEqual([]);
  });

  it('more than one read and one append hold, at once after a nudge', async () => {
    const limits = { readRows: 50, batchRows: 20, heartbeatMs: 60_000 };
    const relay = kit.relay({ limits });
    await relay.start();
    await settled('it leads', () => relay.status().leader);
    await raiseOnKeys(400);
    relay.nudge();
    await settled('all is published', async () => (await kit.cursor()).position === 400n);
    expect(sequences(await kit.published())).toEqual(numbers(400));
    expect(relay.status()).toMatchObject({ leader: true, lagRows: 0, lastError: undefined });
  });
});

describe('E4', () => {
  it('E4: the cursor passes no record that its partition did not acknowledge, but as pending', async () => {
    const down = 2;
    await raiseOnKeys(40);
    const relay = kit.relay({ log: forgetting(() => down), limits: QUICK });
    await relay.runOnce();
    await raiseOnKeys(20);
    await relay.runOnce();
    const lost = numbers(60).filter((n) => partitionOf(`k${(n > 40 ? n - 40 : n) % 10}`, 4) === down);
    expect(lost.length).toBeGreaterThan(0);
    expect(await kit.cursor()).toEqual({ position: 60n, gaps: [], pending: lost.map(String) });
    expect(sequences(await kit.published())).toEqual(numbers(60).filter((n) => !lost.includes(n)));
    await killLeader();
    await kit.relay().runOnce();
    expect(sequences(await kit.published())).toEqual(numbers(60));
    expect((await kit.cursor()).pending).toEqual([]);
  });

  it('E9: what waits for a partition is bounded; reading stops, and goes on when it is back', async () => {
    let down: number | undefined = partitionOf('k1', 4);
    const relay = kit.relay({
      log: forgetting(() => down),
      limits: { ...QUICK, readRows: 5, waitingRows: 10 },
    });
    await kit.raise(...numbers(30).map((n) => entryRow('k1', n)));
    await relay.runOnce();
    expect((await kit.cursor()).position).toBe(10n);
    down = undefined;
    await settled('all is published', async () => {
      await relay.runOnce();
      return (await kit.cursor()).position === 30n;
    });
    expect(sequences(await kit.published())).toEqual(numbers(30));
  });
});

describe('E5, E8: what goes wrong costs time, or repeats, nothing else', () => {
  it('E8: a crash between the acknowledgement and the save publishes again', async () => {
    await raiseOnKeys(20);
    const crashing = withAppend(kit.log, async (records) => {
      const result = await kit.log.append(records);
      await killLeader();
      return result;
    });
    await expect(kit.relay({ log: crashing }).runOnce()).rejects.toSatisfy((e) => kindOf(e) === 'transient');
    expect((await kit.cursor()).position).toBe(0n);
    await kit.relay().runOnce();
    expect(sequences(await kit.published())).toEqual(numbers(20).flatMap((n) => [n, n]));
  });

  it.each([0, 1])('E5: the log is away for a while, after %i records', async (before) => {
    let away = false;
    const log: EventLog = {
      ...withAppend(kit.log, (r) => (away ? Promise.reject(new TransientError('away')) : kit.log.append(r))),
      describe: (names) => (away ? Promise.reject(new TransientError('away')) : kit.log.describe(names)),
    };
    const relay = kit.relay({ log, limits: QUICK });
    await relay.start();
    await raiseOnKeys(before); // with none the relay doesn't know the topic, and can't even append
    await settled('it is there', async () => (await kit.published()).length === before);
    away = true;
    await raiseOnKeys(20);
    relay.nudge();
    await settled('it says so', () => relay.status().lastError?.message === 'away');
    expect(relay.status()).toMatchObject({ leader: true });
    away = false;
    await settled('all is published', async () => (await kit.published()).length === before + 20);
    expect(sequences(await kit.published())).toEqual(numbers(before + 20));
    await settled('it is content', () => relay.status().lastError === undefined);
  });

  it('E5: a topic that is made later', async () => {
    const topic = 'later.events';
    await kit.raise(entryRow('anna', 1, '', topic), entryRow('anna', 2));
    const relay = kit.relay({ limits: QUICK });
    await relay.runOnce();
    expect(await kit.cursor()).toMatchObject({ position: 2n, pending: ['1'] });
    await settled('it says so', async () => {
      await relay.runOnce(); // what was published a moment later may have taken the place of the error
      return relay.status().lastError?.message.includes(topic);
    });
    await kit.log.createTopics([{ name: topic, partitions: 3 }]);
    await settled('it is published', async () => {
      await relay.runOnce();
      return (await kit.published(kit.log, topic)).length === 1;
    });
    expect(sequences(await kit.published())).toEqual([2]);
  });

  it('E5: a topic that is gone for a while parks nothing', async () => {
    let gone = true;
    const log = withAppend(kit.log, async (records) => {
      if (!gone) return kit.log.append(records);
      const error = new UnknownTopicError(TOPIC);
      return {
        acknowledged: [],
        failed: [{ topic: TOPIC, partition: undefined, indexes: [...records.keys()], error }],
      };
    });
    const relay = kit.relay({ log, limits: QUICK });
    await raiseOnKeys(5);
    await relay.runOnce();
    expect(relay.status()).toMatchObject({ parkedKeys: 0, lastError: expect.any(UnknownTopicError) });
    gone = false;
    await settled('all is published', async () => {
      await relay.runOnce();
      return (await kit.published()).length === 5;
    });
  });

  it('E5, E9: reading that stops because the gaps are full says so, and goes on later', async () => {
    const old = await kit.database.client();
    await old.query('begin');
    await old.query('select pg_current_xact_id()');
    const writer = await kit.database.client();
    for (const n of numbers(3)) {
      await writer.query('begin');
      await insertOutboxRows(writer, [entryRow('undone', n)]);
      await writer.query('rollback');
      await kit.raise(entryRow('anna', n));
    }
    let nowMs = 0;
    const relay = kit.relay({ limits: { gaps: 2 }, nowMs: () => nowMs });
    await relay.runOnce();
    await kit.raise(...numbers(7).map((n) => entryRow('ben', n)));
    nowMs += 2_000; // the lag is measured no oftener
    await relay.runOnce();
    expect(await kit.published()).toHaveLength(3);
    expect(relay.status()).toMatchObject({ leader: true, lagRows: 7, lastError: expect.any(TransientError) });
    expect(relay.status().lastError?.message).toMatch(/^reading stopped: 3 gaps wait for .* than \d+/);
    await old.query('rollback');
    // Transactions of the server's other databases, of other specs, count as well.
    await settled('it has gone on', async () => {
      nowMs += 2_000;
      await relay.runOnce();
      return (await kit.published()).length === 10;
    });
    expect(relay.status()).toMatchObject({ lagRows: 0, lastError: undefined });
  });

  it('E6: a record refused for good parks its key, in the save that passes it; others flow', async () => {
    const log = postgresLog({ url: kit.database.url, maxRecordBytes: 2_000 });
    const relay = kit.relay({ log });
    const large = 'x'.repeat(4_000);
    await kit.raise(entryRow('anna', 1), entryRow('ben', 1), entryRow('anna', 2, large), entryRow('anna', 3));
    await kit.raise(entryRow('ben', 2));
    await relay.runOnce();
    await kit.raise(entryRow('anna', 4), entryRow('ben', 3));
    await relay.runOnce();
    expect(sequences(await kit.published())).toEqual([1, 2, 5, 7]);
    const { rows } = await kit.pool.query('select topic, key, position, error from aura.relay_parked_key');
    expect(rows).toEqual([
      {
        topic: TOPIC,
        key: 'anna',
        position: '3',
        error: expect.objectContaining({ name: 'RecordRefusedError' }),
      },
    ]);
    expect(await kit.cursor()).toEqual({ position: 7n, gaps: [], pending: [] });
    expect(relay.status()).toMatchObject({ lagRows: 0, parkedKeys: 1, lastError: undefined });
    await killLeader();
    const next = kit.relay({ log });
    await kit.raise(entryRow('anna', 5));
    await next.runOnce();
    expect(sequences(await kit.published())).toEqual([1, 2, 5, 7]);
    expect(next.status().parkedKeys).toBe(1);
    await log.close();
  });
});

describe('leadership', () => {
  it('one leads; when it stops, the other goes on where it was', async () => {
    const [first, second] = [kit.relay({ standbyMs: 10 }), kit.relay({ standbyMs: 10 })];
    await first.start();
    await settled('the first leads', () => first.status().leader);
    await second.start();
    await raiseOnKeys(10);
    first.nudge();
    await settled('published by the first', async () => (await kit.cursor()).position === 10n);
    expect(second.status().leader).toBe(false);
    await first.stop();
    await raiseOnKeys(10);
    await settled('published by the second', async () => (await kit.cursor()).position === 20n);
    expect(sequences(await kit.published())).toEqual(numbers(20));
  });

  it('a leader that lost its connection can save nothing, and stands by', async () => {
    const [first, second] = [kit.relay(), kit.relay()];
    await raiseOnKeys(5);
    await first.runOnce();
    await killLeader();
    await raiseOnKeys(5);
    await second.runOnce();
    expect((await kit.cursor()).position).toBe(10n);
    await expect(first.runOnce()).rejects.toThrow(TransientError);
    await first.runOnce();
    expect(first.status().leader).toBe(false);
    expect((await kit.cursor()).position).toBe(10n);
  });

  it('stop waits for the append that is under way, and saves what it brought', async () => {
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const slow = withAppend(kit.log, async (records) => {
      entered.resolve();
      await gate.promise;
      return kit.log.append(records);
    });
    const relay = kit.relay({ log: slow });
    await raiseOnKeys(5);
    await relay.start();
    await entered.promise;
    const stopped = relay.stop();
    gate.resolve();
    await stopped;
    expect((await kit.cursor()).position).toBe(5n);
    const { rows } = await kit.pool.query(`select from pg_locks where locktype = 'advisory' and objid = 1
      and database = (select oid from pg_database where datname = current_database())`);
    expect(rows).toEqual([]);
  });

  it('goes on reading while an append hangs, so that it keeps its lock', async () => {
    const hangs = Promise.withResolvers<never>();
    const entered = Promise.withResolvers<void>();
    const hanging = withAppend(kit.log, () => {
      entered.resolve();
      return hangs.promise;
    });
    const relay = kit.relay({ log: hanging, limits: { heartbeatMs: 20 } });
    await raiseOnKeys(5);
    await relay.start();
    const lastRead = async (): Promise<string | undefined> => {
      const { rows } = await kit.pool.query<{ at: string }>(
        `select query_start::text as at from pg_stat_activity
          where datname = current_database() and application_name = 'aura relay' and query like '%outbox%'`,
      );
      return rows[0]?.at;
    };
    await entered.promise;
    const reads = new Set<string | undefined>();
    await settled('it goes on reading', async () => reads.add(await lastRead()).size > 5);
    expect(relay.status()).toMatchObject({ leader: true, lagRows: 5 });
    hangs.reject(new TransientError('gave up'));
  });
});

describe('H34', () => {
  it('H34: saves at most once per interval while busy, and not at all when nothing has changed', async () => {
    await kit.pool.query(
      `create table save (at bigint);
       create function note_save() returns trigger language plpgsql as
         $$ begin insert into save values (new.position); return new; end $$;
       create trigger save after update on aura.relay_cursor for each row execute function note_save()`,
    );
    const saves = async (): Promise<number> => (await kit.pool.query('select from save')).rows.length;
    let nowMs = 1_000;
    const relay = kit.relay({ nowMs: () => nowMs });
    await relay.start();
    await settled('it leads', () => relay.status().leader);
    const burst = async (upTo: number): Promise<void> => {
      for (let n = 0; n < 25; n++) {
        await kit.raise(entryRow('anna', n));
        relay.nudge();
      }
      await settled('published', async () => (await kit.published()).length === upTo);
    };
    await burst(25);
    expect(await saves()).toBeLessThanOrEqual(1);
    nowMs += 100;
    relay.nudge();
    await settled('saved', async () => (await kit.cursor()).position === 25n);
    const before = await saves();
    nowMs += 1_000;
    await relay.runOnce();
    await relay.runOnce();
    expect(await saves()).toBe(before);
    nowMs += 1_000;
    await kit.raise(entryRow('anna', 26));
    relay.nudge();
    await settled('a lone event is saved at once', async () => (await kit.cursor()).position === 26n);
    expect(await saves()).toBe(before + 1);
    await burst(51);
    nowMs += 100;
    relay.nudge();
    await settled('saved', async () => (await kit.cursor()).position === 51n);
    expect(await saves()).toBeLessThanOrEqual(before + 2);
  });
});
