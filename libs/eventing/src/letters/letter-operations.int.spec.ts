import { TerminalError } from '@aura/platform';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import { AT_ONCE, letterFixture, type LetterFixture } from '../../test/letter-fixture.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { Handlers } from '../consumer/handlers.js';
import { readRecord } from '../consumer/reading.js';
import { runUnit } from '../consumer/unit.js';
import type { LetterLimits } from './letter-limits.js';
import { NoSuchLetterError } from './letter-operations.js';
import { LettersFullError } from './letters-full-error.js';

let base: ServiceFixture;
let service: ConsumerFixture;
let letters: LetterFixture;
let offset: number;
beforeAll(async () => {
  base = await ledgerService();
});
afterAll(() => base.close());
beforeEach(async () => {
  service = await consumerFixture(base);
  letters = letterFixture(service, new HandDrivenLog([]));
  await service.pool.query('truncate aura.operation');
  offset = 0;
});

const never = new TerminalError('never');

interface Arrival {
  readonly key: string;
  readonly n: number;
  readonly fails?: Error;
  readonly partition?: number;
}

/** One unit of these; gives the ids of its events. */
async function arrive(arrivals: readonly Arrival[], limits: LetterLimits = AT_ONCE): Promise<string[]> {
  const { group, contracts, registry } = service.events;
  const handlers = new Handlers([service.events.noting()]);
  const deliveries = await Promise.all(
    arrivals.map(async ({ key, n, fails, partition = 0 }) => {
      const record = at(partition, offset++, service.events.record({ key, n }));
      const delivery = await readRecord({ contracts, registry, handlers }, record, new Date());
      return fails ? { record, id: delivery.id, refusal: fails } : delivery;
    }),
  );
  await runUnit({ group, handlers, units: service.units, letters: limits }, deliveries, []);
  return deliveries.map(({ id }) => id);
}

const a = (n: number) => ({ key: 'a', n });
const failing = (key: string, n: number, partition = 0) => ({ key, n, partition, fails: never });
const passing = new Error('for now');
const change = { reason: 'mended', by: 'ada', dryRun: false };
const dry = { ...change, dryRun: true };
const redriven = () => letters.redriven([service.events.noting()]);
const everything = async () => ({
  marks: await service.rows('select * from aura.parked_key order by key'),
  letters: await service.rows('select * from aura.letter order by id'),
  tasks: await service.rows('select * from aura.task order by id'),
  notes: await service.rows('select * from aura.operation'),
});

it('lists keys by what is asked, within a bound, and shows the letters of one in order', async () => {
  const { operations } = letters;
  const ids = await arrive([
    { key: 'a', n: 1, fails: passing },
    { key: 'b', n: 2, fails: never },
    { key: 'a', n: 3 },
    { key: 'c', n: 4, fails: never },
  ]);
  const keys = async (selection: object, limit = 10) =>
    (await operations.list(selection, limit)).map(({ key }) => key);
  expect(await keys({})).toEqual(['a', 'b', 'c']);
  expect(await keys({}, 2)).toEqual(['a', 'b']);
  expect(await keys({ state: 'retrying' })).toEqual(['a']);
  expect(await keys({ error: 'TerminalError' })).toEqual(['b', 'c']);
  expect(await keys({ error: 'TerminalError', key: 'c' })).toEqual(['c']);
  expect(await keys({ type: 'spec.Counted', topic: service.events.topic })).toHaveLength(3);
  expect(await keys({ type: 'spec.Closed' })).toEqual([]);
  const [head, behind, ...rest] = await operations.show(service.events.topic, 'a', 10);
  expect(head).toMatchObject({ eventId: ids[0], offset: 0n, attempts: 1, error: { message: 'for now' } });
  expect(behind).toMatchObject({ eventId: ids[2], offset: 2n, attempts: 0, error: undefined });
  expect(behind?.bytes).toBeGreaterThan(5);
  expect(rest).toEqual([]);
});

it('O1, O2: a redrive by selection goes in noted steps of 100 keys; dry it changes nothing', async () => {
  const keys = Array.from({ length: 230 }, (_, i) => `k${1_000 + i}`);
  await arrive([
    ...keys.map((key, n) => ({ key, n, fails: never })),
    { key: 'k1000', n: 1_000 },
    { key: 'other', n: 0, fails: passing },
  ]);
  const before = await everything();
  expect(await letters.operations.redrive({ state: 'dead' }, dry)).toEqual({ keys: 230, letters: 231 });
  expect(await everything()).toEqual(before);

  expect(await letters.operations.redrive({ state: 'dead' }, change)).toEqual({ keys: 230, letters: 231 });
  const notes = await service.rows<{ what: string; by: string; subject: { keys: number } }>(
    'select what, by, reason, subject from aura.operation order by id',
  );
  expect(notes.map(({ subject }) => subject.keys)).toEqual([100, 100, 30]);
  expect(notes[0]).toMatchObject({ what: 'dead-letters redrive', by: 'ada', reason: 'mended' });
  expect(await letters.operations.list({ state: 'dead' }, 1)).toEqual([]);
  await redriven();
  expect(await service.ledger()).toHaveLength(232);
  expect(await letters.operations.redrive({}, change, 10)).toEqual({ keys: 0, letters: 0 });
}, 60_000);

it('redrives at most as many keys as are asked for', async () => {
  await arrive(['a', 'b', 'c'].map((key, n) => ({ key, n, fails: never })));
  expect(await letters.operations.redrive({}, change, 2)).toEqual({ keys: 2, letters: 2 });
  expect((await letters.operations.list({ state: 'dead' }, 10)).map(({ key }) => key)).toEqual(['c']);
});

it('discards the head: what waits behind it goes on in order, the event never comes again', async () => {
  const { topic } = service.events;
  const [head] = await arrive([
    { key: 'a', n: 1, fails: never },
    { key: 'a', n: 2 },
    { key: 'a', n: 3 },
  ]);
  const before = await everything();
  expect(await letters.operations.discard(topic, 'a', head ?? '', dry)).toEqual({ keys: 1, letters: 1 });
  expect(await everything()).toEqual(before);
  await letters.operations.discard(topic, 'a', head ?? '', change);
  await redriven();
  expect(await service.ledger()).toEqual(['a:2', 'a:3']);
  expect(letters.counted.ends).toEqual({ discarded: 1, redriven: 2 });
  expect(await service.rows('select from aura.inbox where event_id = $1', [head])).toHaveLength(1);
  expect(await service.rows('select what, subject from aura.operation')).toMatchObject([
    { what: 'dead-letters discard', subject: { key: 'a', eventId: head, offset: '0' } },
  ]);
  await expect(letters.operations.discard(topic, 'a', head ?? '', change)).rejects.toThrow(NoSuchLetterError);
});

it('discards one that only waits: its key stays; with its last letter a key is free', async () => {
  const { topic } = service.events;
  const [head, behind] = await arrive([
    { key: 'a', n: 1, fails: never },
    { key: 'a', n: 2 },
  ]);
  await letters.operations.discard(topic, 'a', behind ?? '', change);
  expect(await letters.parked()).toMatchObject([{ key: 'a', state: 'dead', waiting: 0 }]);
  await letters.operations.discard(topic, 'a', head ?? '', change);
  expect(await letters.parked()).toEqual([]);
  await arrive([{ key: 'a', n: 3 }]);
  expect(await service.ledger()).toEqual(['a:3']);
});

it('H52: a key takes so many letters; at the bound units are undone, until there is room', async () => {
  const few = { ...AT_ONCE, perKey: 3 };
  const [, behind] = await arrive([{ ...a(1), fails: never }, a(2)], few);
  const full = arrive([a(3), a(4), { key: 'b', n: 1, partition: 1 }], few);
  await expect(full).rejects.toThrow(LettersFullError);
  await expect(full).rejects.toMatchObject({
    kind: 'transient',
    partitions: [{ topic: service.events.topic, partition: 0 }],
    lanes: [{ key: 'a' }],
    message: expect.stringMatching(/key a of .* has 3 letters.*dead-letters redrive.*discard/),
  });
  expect(await service.ledger()).toEqual([]);
  expect(await letters.parked()).toMatchObject([{ waiting: 1 }]);
  await arrive([a(3), { key: 'b', n: 1, partition: 1 }], few);
  expect(await letters.parked()).toMatchObject([{ waiting: 2 }]);
  await letters.operations.discard(service.events.topic, 'a', behind ?? '', change);
  await arrive([a(4)], few); // into the room of what was discarded
  await expect(arrive([a(5)], few)).rejects.toThrow(LettersFullError);
  await letters.operations.redrive({}, change);
  await redriven();
  await arrive([a(5)], few);
  expect(await service.ledger()).toEqual(['b:1', 'a:1', 'a:3', 'a:4', 'a:5']);
});

it('H52: a group takes so many letters, counted by units, redrives and discards', async () => {
  const few = { ...AT_ONCE, perGroup: 4 };
  const [first] = await arrive([failing('a', 1), failing('b', 2), { key: 'b', n: 3 }], few);
  await expect(arrive([failing('c', 4, 2), failing('d', 5, 3)], few)).rejects.toMatchObject({
    partitions: [{ partition: 2 }, { partition: 3 }],
    cap: { of: 'group', letters: 4 },
  });
  await letters.operations.discard(service.events.topic, 'a', first ?? '', change);
  await arrive([failing('c', 4, 2), failing('d', 5, 3)], few);
  await expect(arrive([failing('e', 6)], few)).rejects.toThrow('the group already has 4 letters');
  await letters.operations.redrive({ key: 'b' }, change);
  await redriven();
  expect(await service.rows('select letters from aura.letter_count')).toEqual([{ letters: '2' }]);
});
