/** Letters that were parked before there were retries and counts (0001, 0002) go on under 0003. */
import { withClient } from '@aura/platform';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { byKey, consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { HandDrivenLog } from '../../test/hand-driven-log.js';
import { letterFixture, type LetterFixture } from '../../test/letter-fixture.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { firstTables } from './0001-first-tables.js';
import { operations } from './0002-operations.js';
import { migrate } from './migrate.js';

let base: ServiceFixture;
let service: ConsumerFixture;
let letters: LetterFixture;
beforeAll(async () => {
  base = await ledgerService();
});
afterAll(() => base.close());
beforeEach(async () => {
  service = await consumerFixture(base);
  letters = letterFixture(service, new HandDrivenLog([]));
  await withClient(base.pool, async (client) => {
    await client.query('drop schema aura cascade');
    await migrate(client, { table: 'migration', migrations: [firstTables, operations] });
    await client.query('create table aura.outbox_any_day partition of aura.outbox default');
  });
});

const toHead = () => withClient(base.pool, (client) => migrate(client));
const change = { reason: 'mended', by: 'ada', dryRun: false };
const noting = () =>
  service.events.noting(({ key, n }, work) => work.raise(service.events.closed.of({ key: `${key}-${n}` })));

let offset = 0;
/** As a release of before 0003 wrote it; gives the event's id. */
async function oldLetter(key: string, n: number, failed: boolean, group = service.events.group) {
  const { topic, value, headers } = service.events.record({ key, n });
  const error = failed ? { name: 'TypeError', message: 'x is undefined' } : null;
  const [row] = await service.rows<{ event_id: string }>(
    `with remembered as (insert into aura.inbox (consumer_group, event_id) values ($1, $6))
     insert into aura.letter
            (consumer_group, topic, key, partition, log_offset, event_id, type, value, headers, error,
             attempts)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     returning event_id`,
    [
      group,
      topic,
      key,
      0,
      offset++,
      headers['ce_id'],
      headers['ce_type'],
      value,
      headers,
      error,
      failed ? 1 : 0,
    ],
  );
  return row?.event_id ?? '';
}
const oldMark = (key: string, state: string, group = service.events.group) =>
  service.pool.query(
    'insert into aura.parked_key (consumer_group, topic, key, state) values ($1, $2, $3, $4)',
    [group, service.events.topic, key, state],
  );

/** Keys a (retrying) and b (dead), their letters mixed; c (retrying) has one; another group has one. */
async function oldLetters(): Promise<string[]> {
  await oldMark('a', 'retrying');
  await oldMark('b', 'dead');
  await oldMark('c', 'retrying');
  await oldMark('a', 'dead', 'another');
  const ids = [await oldLetter('a', 1, true), await oldLetter('b', 1, true), await oldLetter('a', 2, false)];
  ids.push(await oldLetter('c', 1, true), await oldLetter('b', 2, false), await oldLetter('a', 3, false));
  await oldLetter('a', 1, true, 'another');
  return ids;
}

const counts = () =>
  service.rows<{ whose: string; letters: string }>(
    `select case consumer_group when 'another' then 'another' else 'ours' end as whose, letters
       from aura.letter_count order by whose`,
  );

it('lists and counts what was parked before, each key with what waits behind it', async () => {
  const [head, dead] = await oldLetters();
  await toHead();
  expect(
    (await letters.operations.list({}, 10)).toSorted((x, y) => x.key.localeCompare(y.key)),
  ).toMatchObject([
    { key: 'a', state: 'retrying', eventId: head, attempts: 1, waiting: 2, error: { name: 'TypeError' } },
    { key: 'b', state: 'dead', eventId: dead, waiting: 1 },
    { key: 'c', state: 'retrying', waiting: 0 },
  ]);
  expect(await letters.operations.list({ state: 'dead' }, 10)).toHaveLength(1);
  expect(await counts()).toEqual([
    { whose: 'another', letters: '1' },
    { whose: 'ours', letters: '6' },
  ]);
});

it('E2, E5: tries what was retrying by itself, what was dead when told, each key in its order', async () => {
  await oldLetters();
  await toHead();
  await letters.redriven([noting()]);
  expect(byKey(await service.ledger())).toEqual({ a: [1, 2, 3], c: [1] });
  expect(await letters.parked()).toMatchObject([{ key: 'b', state: 'dead', waiting: 1 }]);
  expect(await letters.operations.redrive({ state: 'dead' }, change)).toEqual({ keys: 1, letters: 2 });
  await letters.redriven([noting()]);
  expect(byKey(await service.ledger())).toEqual({ a: [1, 2, 3], b: [1, 2], c: [1] });
  expect(await letters.parked()).toEqual([]);
  expect(letters.counted.ends).toEqual({ redriven: 6 });
  const raised = await service.rows<{ key: string }>('select key from aura.outbox order by key');
  expect(raised.map(({ key }) => key)).toEqual(['a-1', 'a-2', 'a-3', 'b-1', 'b-2', 'c-1']);
  expect(await counts()).toEqual([
    { whose: 'another', letters: '1' },
    { whose: 'ours', letters: '0' },
  ]);
});

it('discards a letter of before: what waits behind it goes on in order', async () => {
  const [, head] = await oldLetters();
  await toHead();
  await letters.operations.discard(service.events.topic, 'b', head ?? '', change);
  await letters.redriven([noting()]);
  expect(byKey(await service.ledger())).toEqual({ a: [1, 2, 3], b: [2], c: [1] });
  expect(letters.counted.ends).toEqual({ discarded: 1, redriven: 5 });
  expect(await letters.parked()).toEqual([]);
});
