import { HEADER } from '@aura/contracts';
import { partitionOf, type EventLog } from '@aura/event-log';
import { InvariantError, TransientError } from '@aura/platform';
import { backupOf, type Backup, settled } from '@aura/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { losingKafka, losingPostgres, type LosingLog } from '../../test/losing-log.js';
import { entryRow, withAppend } from '../../test/outbox-kit.js';
import { BY_TEST, ReplayKit } from '../../test/replay-kit.js';
import type { Relay } from '../outbox/relay.js';
import { OutboxRelay } from '../outbox/relay-operations.js';

const BROKERS = process.env['KAFKA_BROKERS'];
const DRY = { ...BY_TEST, dryRun: true };
/** A stopped relay looks again at every round. */
const LIMITS = { recheckMs: 0, backoff: { initialMs: 1, maxMs: 10 } };

let kit: ReplayKit;
let losing: LosingLog;
let backup: Backup | undefined;
afterEach(async () => {
  await kit.drop();
  await backup?.drop();
  await losing.drop();
});

async function make(open: () => Promise<LosingLog>): Promise<void> {
  losing = await open();
  backup = undefined;
  kit = await ReplayKit.make('time', losing.log, losing.topic);
}

const operations = (): OutboxRelay => new OutboxRelay({ pool: kit.outbox.pool, replay: kit.replay });
const relay = (log: EventLog = losing.log): Relay =>
  kit.outbox.relay({ log, limits: LIMITS, findReplay: (id) => kit.replay.find(id) });
const codes = async (): Promise<string[]> => (await operations().findings()).map(({ code }) => code);
const raise = (...names: string[]): Promise<void> =>
  kit.outbox.raise(...names.map((name) => entryRow(name.slice(0, 1), 1, name, losing.topic)));
const mend = (code: string, change = BY_TEST): Promise<string> => operations().mend(code, change);

/** `key:position` of each record in the topic, those of replays in brackets. */
async function inTopic(): Promise<string[]> {
  return (await kit.outbox.published()).map(({ key, headers }) => {
    const name = `${key}:${headers[HEADER.sequence]}`;
    return headers[HEADER.replayId] === undefined ? name : `(${name})`;
  });
}

const of = (key: string, names: string[]): string[] => names.filter((name) => name.includes(`${key}:`));

/** The lead may be another's for a moment, and Kafka busy with the topic: neither is a reason to publish. */
async function expectStopped(one: Relay, code: string): Promise<void> {
  await settled(`${code} stops it`, async () => {
    await one.runOnce();
    const { leader, lastError } = one.status();
    return leader && lastError instanceof InvariantError && lastError.message.includes(`relay mend ${code}`);
  });
  expect(await codes()).toContain(code);
}

async function goesOn(one: Relay): Promise<void> {
  await settled('it publishes again', async () => {
    await one.runOnce();
    return one.status().lastError === undefined && one.status().lagRows === 0;
  });
  expect(await codes()).toEqual([]);
}

async function mendTopic(one: Relay): Promise<void> {
  await mend('topic-behind');
  // A leader that was just about to look again by itself checks first.
  await settled('it waits for the replay', async () => {
    await one.runOnce();
    return one.status().lastError?.message.includes('Republishing') === true;
  });
  const before = await inTopic();
  for (let round = 0; round < 4; round++) await one.runOnce();
  expect(await inTopic()).toEqual(before); // what is new waits for what was lost
  await kit.runner().runOnce();
  await goesOn(one);
}

const LOGS: [string, () => Promise<LosingLog>][] = [['the Postgres log', losingPostgres]];
if (BROKERS) LOGS.push(['Kafka', () => losingKafka(BROKERS.split(','))]);

describe.each(LOGS)('E10 over %s', (_, open) => {
  it('H4, H51: a restored database: stops, and mends past what it has forgotten', async () => {
    await make(open);
    await raise('a1', 'b1', 'c1');
    const first = relay();
    await first.runOnce();
    await first.stop();
    backup = await backupOf(kit.outbox.database.url);
    await raise('a2', 'b2', 'c2', 'd2');
    const second = relay();
    await second.runOnce();
    await second.stop();
    await backup.restore();
    await raise('a3', 'e3'); // positions that were handed out before
    const third = relay();
    await expectStopped(third, 'database-went-back');
    await raise('f3'); // the service goes on
    expect(await inTopic()).toHaveLength(7);
    expect(await mend('database-went-back', DRY)).toMatch(/would set the identity past 7/);
    expect(await codes()).toEqual(['database-went-back']);
    await mend('database-went-back');
    await raise('a4');
    await goesOn(third);
    expect((await inTopic()).toSorted()).toEqual(
      ['a:1', 'b:2', 'c:3', 'a:4', 'b:5', 'c:6', 'd:7', 'a:4', 'e:5', 'f:6', 'a:8'].toSorted(),
    );
    await third.stop();
    const fourth = relay();
    await fourth.runOnce();
    expect(fourth.status().lastError).toBeUndefined();
    expect(await inTopic()).toHaveLength(11);
    const epochs = await kit.outbox.pool.query('select epoch, code from aura.relay_epoch');
    expect(epochs.rows).toEqual([{ epoch: '1', code: 'database-went-back' }]);
    const noted = await kit.outbox.pool.query('select what, by from aura.operation');
    expect(noted.rows).toEqual([{ what: 'relay mend database-went-back', by: 'test' }]);
  });

  it('E10: a topic that was lost and made anew: stops, then what was lost goes before the new', async () => {
    await make(open);
    const first = relay();
    await raise('a1', 'b1', 'c1', 'a2');
    await first.runOnce();
    await first.stop();
    await losing.recreateTopic(4);
    await raise('a3', 'b3');
    const second = relay();
    await expectStopped(second, 'topic-behind');
    expect(second.status().lastError?.message).toContain(
      `npm run aura -- replay outbox --topic ${losing.topic} --from-position 1`,
    );
    expect(await inTopic()).toEqual([]);
    expect(await mend('topic-behind', DRY)).toMatch(/would republish 4 records/);
    await mendTopic(second);
    const found = await inTopic();
    expect(of('a', found)).toEqual(['(a:1)', '(a:4)', 'a:5']);
    expect(of('b', found)).toEqual(['(b:2)', 'b:6']);
    expect(of('c', found)).toEqual(['(c:3)']);
    await second.stop();
    const third = relay();
    await third.runOnce();
    expect(third.status().lastError).toBeUndefined();
    expect(await inTopic()).toHaveLength(6);
  });

  it('E10: what a crash left in the topic passes without a word, and moves the marks', async () => {
    await make(open);
    await raise('a1', 'b1');
    const crashing = withAppend(losing.log, async (records) => {
      const result = await losing.log.append(records);
      await kit.outbox.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'aura relay'`,
      );
      return result;
    });
    await relay(crashing)
      .runOnce()
      .catch(() => undefined);
    const next = relay();
    await next.runOnce();
    expect(next.status().lastError).toBeUndefined();
    expect((await inTopic()).toSorted()).toEqual(['a:1', 'a:1', 'b:2', 'b:2']);
    expect(await codes()).toEqual([]);
  });

  it('E10: a check that the log does not answer is made again, and finds nothing', async () => {
    await make(open);
    await raise('a1');
    let away = true;
    const log: EventLog = {
      ...withAppend(losing.log, (records) => losing.log.append(records)),
      bounds: (topic) => (away ? Promise.reject(new TransientError('away')) : losing.log.bounds(topic)),
    };
    const one = relay(log);
    await one.runOnce();
    expect(one.status()).toMatchObject({ leader: true, lastError: { message: 'away' } });
    expect(await inTopic()).toEqual([]);
    expect(await codes()).toEqual([]);
    away = false;
    await goesOn(one);
    expect(await inTopic()).toEqual(['a:1']);
  });
});

describe.skipIf(!BROKERS)('H30 over Kafka', () => {
  it('H30: a topic that got more partitions: stops before a key moves, and goes on when told', async () => {
    await make(() => losingKafka((BROKERS ?? '').split(',')));
    await raise('a1', 'b1');
    const first = relay();
    await goesOn(first);
    await first.stop();
    await losing.addPartitions(5);
    await raise('a2');
    const second = relay();
    await expectStopped(second, 'partitions-changed');
    expect(second.status().lastError?.message).toContain('had 4 partitions and now has 5');
    expect(await inTopic()).toHaveLength(2);
    await mend('partitions-changed');
    await goesOn(second);
    expect(await inTopic()).toHaveLength(3);
  });
});

describe('E10 over the Postgres log', () => {
  const KEY = 'a';
  const partition = partitionOf(KEY, 4);

  it('E10: a partition without its tail: republishes from the first lost position on', async () => {
    await make(losingPostgres);
    const first = relay();
    for (const name of ['a1', 'a2', 'a3', 'a4']) {
      await raise(name);
      await first.runOnce();
    }
    await first.stop();
    await losing.truncate(partition, 2);
    await raise('a5');
    const second = relay();
    await expectStopped(second, 'topic-behind');
    expect(second.status().lastError?.message).toMatch(/First lost position: 3\./);
    await mendTopic(second);
    expect(await inTopic()).toEqual(['a:1', 'a:2', '(a:3)', '(a:4)', 'a:5']);
  });

  it('E10: a tail that is lost under a leader is seen before anything of it is saved', async () => {
    await make(losingPostgres);
    const one = relay();
    await raise('a1', 'a2', 'a3');
    await one.runOnce();
    await losing.truncate(partition, 1);
    await raise('a4');
    await expect(one.runOnce()).rejects.toThrow(/lost records under this relay/);
    await expectStopped(one, 'topic-behind');
    await mendTopic(one);
    const found = await inTopic();
    expect(found).toEqual(expect.arrayContaining(['a:1', '(a:2)', '(a:3)', 'a:4']));
  });

  it('H4: a restored database that has handed out every forgotten position again: ids tell', async () => {
    await make(losingPostgres);
    backup = await backupOf(kit.outbox.database.url);
    await raise('a1');
    const first = relay();
    await first.runOnce();
    await first.stop();
    const [forgotten] = await kit.outbox.published();
    await backup.restore();
    await raise('a2');
    const raisedAt = forgotten?.headers[HEADER.time];
    await kit.outbox.pool.query('update aura.outbox set raised_at = $1', [raisedAt]);
    const second = relay();
    await expectStopped(second, 'database-went-back');
    await mend('database-went-back');
    await goesOn(second);
    expect(await inTopic()).toEqual(['a:1', 'a:1']);
  });

  it('E10: both at once: the database restored and the topic truncated', async () => {
    await make(losingPostgres);
    const other = ['b', 'c', 'd', 'e', 'f'].find((key) => partitionOf(key, 4) !== partition) ?? 'b';
    const first = relay();
    await raise('a1', 'a2', `${other}1`);
    await first.runOnce();
    await first.stop();
    backup = await backupOf(kit.outbox.database.url);
    await raise('a3', `${other}2`);
    const second = relay();
    await second.runOnce();
    await second.stop();
    await backup.restore();
    await losing.truncate(partition, 1);
    await raise('a9');
    const third = relay();
    await expectStopped(third, 'database-went-back');
    expect((await codes()).toSorted()).toEqual(['database-went-back', 'topic-behind']);
    await mend('database-went-back');
    await third.runOnce();
    await expectStopped(third, 'topic-behind');
    await mendTopic(third);
    const found = await inTopic();
    expect(found.filter((name) => name.includes('a:'))).toEqual(['a:1', '(a:1)', '(a:2)', 'a:4']);
    expect(found.filter((name) => name.startsWith(other))).toEqual([`${other}:3`, `${other}:5`]);
  });

  it('E10: a long tail is looked at from both its ends, and no further', async () => {
    await make(losingPostgres);
    const row = entryRow(KEY, 1, '', losing.topic);
    const record = (sequence: number, eventId: string) => ({
      topic: losing.topic,
      key: KEY,
      value: Buffer.from('x'),
      headers: {
        [HEADER.id]: eventId,
        [HEADER.source]: 'ledger',
        [HEADER.sequence]: String(sequence),
        [HEADER.time]: new Date().toISOString(),
      },
    });
    const labelled = Array.from({ length: 3_000 }, (_, at) => {
      const one = record(at + 1, row.eventId);
      return { ...one, headers: { ...one.headers, [HEADER.replayId]: 'r1' } };
    });
    await losing.log.append(labelled);
    let read = 0;
    const log: EventLog = {
      ...withAppend(losing.log, (records) => losing.log.append(records)),
      async *scan(...args) {
        for await (const one of losing.log.scan(...args)) {
          read++;
          yield one;
        }
      },
    };
    const limits = { ...LIMITS, tailWindow: 100 };
    const one = kit.outbox.relay({ log, limits });
    await one.runOnce();
    expect(one.status().lastError).toBeUndefined();
    expect(read).toBe(200);
    await one.stop();
    read = 0;
    const two = kit.outbox.relay({ log, limits });
    await two.runOnce();
    expect(read).toBeLessThanOrEqual(1); // the marks have moved
    await two.stop();
    await losing.log.append([record(1, row.eventId), ...labelled.slice(0, 50)]);
    await expectStopped(kit.outbox.relay({ log, limits }), 'database-went-back');
  });
});
