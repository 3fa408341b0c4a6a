import { silentLogger } from '@aura/platform';
import { settled } from '@aura/testing';
import type { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { entryRow, OutboxKit } from '../../test/outbox-kit.js';
import { outboxDaysFindings } from './days.js';
import { insertOutboxRows } from './outbox.js';
import { OutboxRetention, retentionFindings, type OutboxRetentionOptions } from './retention.js';

const RETENTION_DAYS = 30;
let kit: OutboxKit;
beforeEach(async () => {
  kit = await OutboxKit.make('retention');
});
afterEach(() => kit.drop());

const retention = (options: Partial<OutboxRetentionOptions> = {}): OutboxRetention =>
  new OutboxRetention({ pool: kit.pool, logger: silentLogger, retentionDays: RETENTION_DAYS, ...options });
const rows = async <R>(sql: string, values: unknown[] = []): Promise<R[]> =>
  (await kit.pool.query(sql, values)).rows as R[];
const nameOf = async (daysAgo: number): Promise<string> => {
  const [row] = await rows<{ name: string }>(
    `select 'outbox_' || to_char((now() at time zone 'utc')::date - $1::int, 'YYYYMMDD') as name`,
    [daysAgo],
  );
  return row?.name ?? '';
};

/** A day that is over, with `events` rows; gives its name. */
async function pastDay(daysAgo: number, events: number): Promise<string> {
  const name = await nameOf(daysAgo);
  await kit.pool.query(
    `do $$ declare day timestamptz :=
       (((now() at time zone 'utc')::date - ${daysAgo}) || ' 00:00:00+00')::timestamptz;
     begin
       execute format('create table aura.${name} partition of aura.outbox for values from (%L) to (%L)',
                      day, day + interval '24 hours');
     end $$`,
  );
  for (let n = 0; n < events; n++) await raiseInto(daysAgo, n);
  return name;
}

const raiseInto = async (daysAgo: number, n: number, on: Pick<Client, 'query'> = kit.pool): Promise<void> => {
  const row = entryRow(`k${daysAgo}`, n);
  await on.query(
    `insert into aura.outbox (event_id, topic, key, type, schema_fingerprint, body, headers, raised_at)
     values ($1, $2, $3, $4, decode($5, 'hex'), $6, '{}',
             (((now() at time zone 'utc')::date - $7::int) || ' 12:00:00+00')::timestamptz)`,
    [row.eventId, row.topic, row.key, row.type, row.fingerprint, row.body, daysAgo],
  );
};
const cursorAt = async (position: number, gaps: unknown = [], pending: unknown = []): Promise<void> => {
  await kit.pool.query(
    `insert into aura.relay_cursor (position, gaps, pending, cluster) values ($1, $2, $3, 'x')
         on conflict (only_row) do update set position = $1, gaps = $2, pending = $3`,
    [position, JSON.stringify(gaps), JSON.stringify(pending)],
  );
};
const decided = async (): Promise<number> => (await rows('select from aura.outbox_dropped_day')).length;
const there = async (name: string): Promise<boolean> => {
  const [row] = await rows<{ there: boolean }>(`select to_regclass('aura.' || $1) is not null as there`, [
    name,
  ]);
  return row?.there ?? false;
};

describe('days past the retention', () => {
  it('T1, T2: go when they are published; younger ones stay, and what is not published', async () => {
    const [oldest, old, young] = [await pastDay(40, 2), await pastDay(39, 2), await pastDay(20, 2)];
    await cursorAt(3);
    const round = await retention().runOnce();
    expect(round).toMatchObject({ dropped: [oldest], kept: [{ name: old, overdueDays: 8 }], busy: false });
    expect(round.kept[0]?.why).toContain('has not published position 4');
    await cursorAt(6);
    expect((await retention().runOnce()).dropped).toEqual([old]);
    expect([await there(oldest), await there(old), await there(young)]).toEqual([false, false, true]);
    expect(await rows('select name, last_position from aura.outbox_dropped_day order by name')).toEqual([
      { name: oldest, last_position: '2' },
      { name: old, last_position: '4' },
    ]);
  });

  it('T2: stay while a gap, a pending row, a parked key or a replay needs them; each is named', async () => {
    const day = await pastDay(40, 2);
    const stays = async (words: string): Promise<void> => {
      expect(await retention().runOnce()).toMatchObject({ dropped: [], kept: [{ name: day }] });
      const [finding] = await retentionFindings(kit.pool, RETENTION_DAYS);
      expect(finding).toMatchObject({ code: 'outbox-retention-stuck', subject: `aura.${day}` });
      expect(finding?.words).toContain(words);
    };
    await cursorAt(9, [['1', '1', '77']]);
    await stays('positions 1 to 1');
    await cursorAt(9, [], ['2']);
    await stays('position 2 waits');
    await cursorAt(9);
    await kit.pool.query(`insert into aura.relay_parked_key values ('${kit.topic}', 'k40', 2, '{}')`);
    await stays('from position 2 on');
    await kit.pool.query('delete from aura.relay_parked_key');
    await kit.pool.query(
      `insert into aura.relay_finding (code, subject, words, details) values ('topic-behind', '', '', '{}')`,
    );
    await stays('has stopped (topic-behind)');
    await kit.pool.query('delete from aura.relay_finding');
    await startReplay(1);
    await stays('stands at position 1');
    await kit.pool.query(`update aura.replay_job set position = 2`);
    expect((await retention().runOnce()).dropped).toEqual([day]);
    expect(await retentionFindings(kit.pool, RETENTION_DAYS)).toEqual([]);
  });

  it('nothing goes before a relay has ever saved its cursor', async () => {
    const day = await pastDay(40, 1);
    expect(await retention().runOnce()).toMatchObject({ dropped: [], kept: [{ name: day }] });
  });

  it('replicas take turns', async () => {
    const days = [await pastDay(41, 1), await pastDay(40, 1)];
    await cursorAt(2);
    const rounds = await Promise.all([1, 2, 3].map(() => retention().runOnce()));
    expect(rounds.flatMap((round) => round.dropped)).toEqual(days);
  });
});

describe('dropping beside those who work', () => {
  it('E1: the relay goes on over the drop of a day that it has published', async () => {
    const day = await pastDay(40, 3);
    const relay = kit.relay();
    await relay.runOnce();
    expect((await retention().runOnce()).dropped).toEqual([day]);
    await kit.raise(entryRow('anna', 1));
    await relay.runOnce();
    expect((await kit.published()).map(({ key }) => key).toSorted()).toEqual(['anna', 'k40', 'k40', 'k40']);
  });

  it('H24: a writer goes on while a long reader keeps the drop waiting', async () => {
    const day = await pastDay(40, 1);
    await cursorAt(1);
    const reader = await kit.database.client();
    await reader.query('begin; select count(*) from aura.outbox');
    const dropping = retention({ lockTimeoutMs: 60_000 }).runOnce();
    await settled('the drop waits for the reader', async () => {
      const [waiting] = await rows<{ n: number }>(
        `select count(*)::int as n from pg_stat_activity
          where datname = current_database() and query like 'alter table aura.outbox detach%'
            and wait_event_type = 'Lock'`,
      );
      return waiting?.n === 1;
    });
    const writer = await kit.database.client();
    await writer.query(`set lock_timeout = '2s'`); // behind a queued ACCESS EXCLUSIVE this is an error
    await insertOutboxRows(writer, [entryRow('anna', 1)]);
    expect((await writer.query('select from aura.outbox')).rowCount).toBe(1);
    await reader.query('commit');
    expect((await dropping).dropped).toEqual([day]);
  });

  it('gives up after its lock timeout, is in sight, and is gone on with in a later round', async () => {
    const day = await pastDay(40, 1);
    await cursorAt(1);
    const reader = await kit.database.client();
    await reader.query('begin; select count(*) from aura.outbox');
    expect(await retention().runOnce()).toMatchObject({ dropped: [], busy: true });
    expect(await retention().runOnce()).toMatchObject({ dropped: [], busy: true });
    await kit.pool.query(`update aura.outbox_dropped_day set decided_at = now() - interval '25 hours'`);
    expect((await retentionFindings(kit.pool, RETENTION_DAYS))[0]?.words).toContain('somebody still uses it');
    await reader.query('commit');
    expect((await retention().runOnce()).dropped).toEqual([day]);
    expect(await there(day)).toBe(false);
  });

  it.each([
    ['decided', ''],
    ['detached', 'alter table aura.outbox detach partition aura.$day'],
    ['dropped', 'drop table aura.$day'],
  ])('E8: a process that ended when the day was %s is gone on with', async (_, sql) => {
    const day = await pastDay(40, 1);
    await cursorAt(1);
    await kit.pool.query(`insert into aura.outbox_dropped_day (name, last_position) values ($1, 1)`, [day]);
    if (sql) await kit.pool.query(sql.replace('$day', day));
    expect((await retention().runOnce()).dropped).toEqual([day]);
    expect(await there(day)).toBe(false);
    expect(await rows('select from aura.outbox_dropped_day where dropped_at is null')).toEqual([]);
  });

  it('a decision that was not begun is made anew: the day may be needed by now', async () => {
    const day = await pastDay(40, 1);
    await cursorAt(0);
    await kit.pool.query(`insert into aura.outbox_dropped_day (name, last_position) values ($1, 1)`, [day]);
    expect(await retention().runOnce()).toMatchObject({ dropped: [], kept: [{ name: day }] });
  });

  it('T4: what a transaction as old as the day commits after the decision is raised anew', async () => {
    const day = await pastDay(40, 1);
    await cursorAt(1);
    const ancient = await kit.database.client();
    await ancient.query('begin');
    await raiseInto(40, 7, ancient);
    const dropping = retention({ lockTimeoutMs: 60_000 }).runOnce();
    await settled('the day is decided', async () => (await decided()) > 0);
    await ancient.query('commit');
    expect((await dropping).dropped).toEqual([day]);
    expect(await rows('select position, key from aura.outbox')).toEqual([{ position: '3', key: 'k40' }]);
  });
});

describe('findings', () => {
  it('H24: a day that is missing within two days is an alarm that names it', async () => {
    expect(await outboxDaysFindings(kit.pool)).toEqual([]); // the kit makes two days ahead
    const tomorrow = await nameOf(-1);
    await kit.pool.query(`drop table aura.${tomorrow}`);
    expect(await outboxDaysFindings(kit.pool)).toMatchObject([
      { code: 'outbox-day-missing', severity: 'alarm', subject: `aura.${tomorrow}` },
    ]);
  });
});

async function startReplay(position: number): Promise<void> {
  await kit.pool.query(
    `insert into aura.replay_job (id, selection, state, reason, by, selected, position, to_position)
     values (gen_random_uuid(), '{}', 'running', 'spec', 'spec', 2, $1, 2)`,
    [position],
  );
}
