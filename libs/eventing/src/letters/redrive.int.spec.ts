import { derivedId, newEventId, type EventEnvelope } from '@aura/contracts';
import type { LogRecord } from '@aura/event-log';
import { TerminalError, TransientError } from '@aura/platform';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import { AT_ONCE, letterFixture, type LetterFixture } from '../../test/letter-fixture.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { deletePause, insertPause } from '../consumer/group-pause.js';
import type { EventHandler } from '../consumer/handlers.js';
import type { Work } from '../unit-of-work/work.js';

let base: ServiceFixture;
let service: ConsumerFixture;
let letters: LetterFixture;
let log: HandDrivenLog;
/** What fails now: `n` of the event. */
const broken = new Map<number, Error>();
beforeAll(async () => {
  base = await ledgerService();
});
afterAll(() => base.close());
beforeEach(async () => {
  broken.clear();
  service = await consumerFixture(base);
  log = new HandDrivenLog([{ partition: 0, first: 0n, end: 0n }]);
  letters = letterFixture(service, log);
});
afterEach(() => service.stop());

/** Notes and raises, or fails. */
function noting(): EventHandler {
  return service.events.noting(({ key, n }, work) => {
    const error = broken.get(n);
    if (error) throw error;
    work.raise(service.events.closed.of({ key: `${key}-${n}` }));
  });
}

async function deliver(records: readonly LogRecord[], handlers = [noting()]): Promise<void> {
  const consumer = service.consumer(log.port, handlers, { letters: AT_ONCE });
  await consumer.start();
  await log.assign(service.events.topic, 0);
  await log.deliver(records);
  await consumer.stop();
}

const counted = (offset: number, key: string, n: number): LogRecord =>
  at(0, offset, service.events.record({ key, n }));
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const hours = (n: number) => new Date(Date.now() + n * 3_600_000);
const tasks = () =>
  service.rows<{ id: string; key: string }>(`select id, key from aura.task where kind = 'aura.redrive'`);

it('E2: a key comes through by itself, in order, and raises the ids that its unit would have', async () => {
  broken.set(1, new Error('for now'));
  const records = [counted(0, 'a', 1), counted(1, 'a', 2), counted(2, 'b', 3)];
  await deliver(records);
  expect(await tasks()).toHaveLength(1);
  broken.clear();
  await letters.redriven([noting()]);
  expect(await service.ledger()).toEqual(['b:3', 'a:1', 'a:2']);
  expect(await letters.parked()).toEqual([]);
  const outbox = await service.rows<{ event_id: string; causationid: string }>(
    `select event_id, headers->>'causationid' as causationid from aura.outbox order by position`,
  );
  const { group } = service.events;
  expect(outbox.map(({ event_id }) => event_id)).toEqual(
    [records[2], records[0], records[1]].map((record) =>
      derivedId({ causeId: record?.headers['ce_id'] ?? '', group, ordinal: 0 }),
    ),
  );
  expect(letters.counted.ends).toEqual({ redriven: 2 });
  expect(await service.rows('select letters from aura.letter_count')).toEqual([{ letters: '0' }]);
});

it('E9: after five failures of an event its key is dead, with the newest error; the rest waits', async () => {
  broken.set(1, new Error('first'));
  await deliver([counted(0, 'a', 1), counted(1, 'a', 2)]);
  let failures = 0;
  const failing = service.events.noting(() => {
    throw new RangeError(`failure ${++failures}`);
  });
  await letters.redriven([failing]);
  expect(failures).toBe(4);
  expect(await letters.parked()).toMatchObject([
    { key: 'a', state: 'dead', attempts: 5, waiting: 1, error: { message: 'failure 4' } },
  ]);
  expect(await tasks()).toEqual([]);
});

it('makes no attempt where none can succeed, at parking or later', async () => {
  broken.set(1, new TerminalError('never')).set(2, new Error('for now'));
  await deliver([counted(0, 'a', 1), counted(1, 'b', 2)]);
  expect((await tasks()).map(({ key }) => key)).toEqual([`${service.events.topic}/b`]);
  broken.set(2, new TerminalError('never, too'));
  await letters.redriven([noting()]);
  expect(await letters.parked()).toMatchObject([
    { key: 'a', state: 'dead', attempts: 1 },
    { key: 'b', state: 'dead', attempts: 2, error: { message: 'never, too' } },
  ]);
});

it('R1: what stands before the failing event goes through; that one heads the key from then on', async () => {
  broken.set(1, new Error('for now'));
  await deliver(numbers(1, 250).map((n) => counted(n - 1, 'a', n)));
  broken.clear();
  broken.set(177, new TerminalError('poison'));
  await letters.redriven([noting()]);
  expect(await service.ledger()).toEqual(numbers(1, 176).map((n) => `a:${n}`));
  expect(await letters.parked()).toMatchObject([
    { state: 'dead', offset: 176n, attempts: 1, waiting: 73, error: { message: 'poison' } },
  ]);
  broken.clear();
  const change = { reason: 'mended', by: 'spec', dryRun: false };
  await letters.operations.redrive({ key: 'a' }, change);
  await letters.redriven([noting()]);
  expect(await service.ledger()).toEqual(numbers(1, 250).map((n) => `a:${n}`));
});

it('E3: a delivery that is repeated does not schedule its key twice', async () => {
  broken.set(1, new Error('for now'));
  const records = [counted(0, 'a', 1)];
  await deliver(records);
  const first = await tasks();
  await service.pool.query('truncate aura.inbox, aura.letter, aura.parked_key, aura.consumer_offset');
  await deliver(records);
  expect(await tasks()).toEqual(first);
});

it('E3: an attempt that is not its key’s any more does nothing', async () => {
  broken.set(1, new Error('for now'));
  await deliver([counted(0, 'a', 1)]);
  const [stale] = await tasks();
  const change = { reason: 'now', by: 'spec', dryRun: false };
  await letters.operations.redrive({}, change);
  broken.clear();
  const attempt = { lane: { topic: service.events.topic, key: 'a' }, taskId: stale?.id ?? '', starts: 1 };
  await letters.redrive([noting()]).run(attempt, new AbortController().signal);
  expect(await service.ledger()).toEqual([]);
  expect(await letters.parked()).toMatchObject([{ attempts: 0, state: 'retrying' }]);
});

it('drops what no handler takes any more, and goes on behind it', async () => {
  broken.set(1, new Error('for now'));
  const { events } = service;
  const closing: EventHandler = {
    mode: 'each',
    type: events.closed,
    name: 'Ledger.close',
    handle: () => Promise.resolve(),
  };
  const closed = at(0, 1, events.record({ key: 'a' }));
  await deliver([counted(0, 'a', 1), closed, counted(2, 'a', 2)], [noting(), closing]);
  broken.clear();
  await letters.redriven([noting()]);
  expect(await service.ledger()).toEqual(['a:1', 'a:2']);
  expect(letters.counted.ends).toEqual({ redriven: 2, unwanted: 1 });
});

it('gives set handlers runs, as in a unit', async () => {
  const runs: number[] = [];
  let fails = true;
  const sets = service.events.notingSets(() => {
    if (fails) throw new Error('for now');
  });
  if (sets.mode !== 'set') throw new Error('not a set');
  const watched: EventHandler = {
    ...sets,
    handle: (all: readonly EventEnvelope[], work: Work) => (runs.push(all.length), sets.handle(all, work)),
  };
  await deliver([counted(0, 'a', 1)], [watched]);
  await deliver(
    numbers(2, 40).map((n) => counted(n - 1, 'a', n)),
    [watched],
  );
  fails = false;
  runs.length = 0;
  await letters.redriven([watched]);
  expect(runs).toEqual([1, 39]); // R2: the head had failed, it went alone
  expect(await service.ledger()).toEqual(numbers(1, 40).map((n) => `a:${n}`));
});

it('reads a refused event anew: its schema may be known by now', async () => {
  const record = counted(0, 'a', 1);
  const { ce_dataschema: _, ...headers } = record.headers; // the registry has to be asked
  const unknown = { schemaById: () => Promise.reject(new TerminalError('no such schema')) };
  const consumer = service.consumer(log.port, [noting()], { registry: unknown });
  await consumer.start();
  await log.assign(service.events.topic, 0);
  await log.deliver([{ ...record, headers }, counted(1, 'a', 2)]);
  expect(await letters.parked()).toMatchObject([{ state: 'dead', waiting: 1 }]);

  const change = { reason: 'registered', by: 'spec', dryRun: false };
  await letters.operations.redrive({ state: 'dead' }, change);
  let away = 2;
  const returning = {
    schemaById: (id: number) =>
      away-- > 0 ? Promise.reject(new TransientError('away')) : service.events.registry.schemaById(id),
  };
  await letters.redriven([noting()], { registry: returning });
  expect(await service.ledger()).toEqual(['a:1', 'a:2']);
  expect(letters.counted.failures).toBe(0); // a registry that is away burns no attempt
});

it('R4: an id of the future is remembered as its own once its time has come', async () => {
  const id = newEventId(hours(2));
  const early = (offset: number) => at(0, offset, service.events.record({ key: 'a', n: 1, id }));
  await deliver([early(0), early(1)]); // two copies, each under the id of its place
  const later = { ...service.units, clock: { ...service.units.clock, now: () => hours(2) } };
  const change = { reason: 'its time has come', by: 'spec', dryRun: false };
  await letters.operations.redrive({}, change);
  await letters.redriven([noting()], { units: later });
  expect(await service.ledger()).toEqual(['a:1']);
  expect(letters.counted.ends).toEqual({ redriven: 1, duplicate: 1 });
  const inbox = await service.rows('select from aura.inbox where event_id = $1', [id]);
  expect(inbox).toHaveLength(1);
});

it('finds the key behind a stand-in in the log; where it is gone the letter says why it stays', async () => {
  const seen: string[] = [];
  const watching = service.events.noting();
  if (watching.mode !== 'each') throw new Error('not each');
  const keys: EventHandler = {
    ...watching,
    handle: (event: EventEnvelope, work: Work) => (seen.push(event.key), watching.handle(event, work)),
  };
  const foreign = [
    at(0, 0, { ...service.events.record({ key: 'k', n: 1 }), key: 'a\0b' }),
    at(0, 1, { ...service.events.record({ key: 'k', n: 2 }), key: 'a\0b' }),
  ];
  await deliver(foreign, [keys]);
  const change = { reason: 'try', by: 'spec', dryRun: false };
  await letters.operations.redrive({}, change);
  await letters.redriven([keys]); // the log has nothing there
  const [dead] = await letters.parked();
  expect(dead).toMatchObject({ state: 'dead', waiting: 1 });
  expect(dead?.error?.message).toContain(`${service.events.topic}/0 at 0 no longer has the record`);

  log.kept.push(...foreign);
  await letters.operations.redrive({}, change);
  await letters.redriven([keys]);
  expect(seen).toEqual(['a\0b', 'a\0b']);
  expect(await service.ledger()).toEqual(['k:1', 'k:2']);
  expect(await letters.parked()).toEqual([]);
});

it('R7: while the group is paused no attempt is made and none burns; then the key goes on', async () => {
  broken.set(1, new Error('for now'));
  await deliver([counted(0, 'a', 1)]);
  broken.clear();
  const { group } = service.events;
  await insertPause(service.pool, group, 'a rebuild', 'ada');
  for (let i = 0; i < 3; i++) {
    await service.pool.query('update aura.task set due_at = now()');
    await letters.redriver([noting()]).runOnce();
  }
  expect(await service.ledger()).toEqual([]);
  expect(await letters.parked()).toMatchObject([{ attempts: 1, state: 'retrying' }]);
  expect(await tasks()).toHaveLength(1);
  await deletePause(service.pool, group);
  await letters.redriven([noting()]);
  expect(await service.ledger()).toEqual(['a:1']);
});

it('R8: an attempt that never ends goes letter by letter, then names who ends its process', async () => {
  broken.set(1, new Error('for now'));
  await deliver([counted(0, 'a', 1), counted(1, 'a', 2), counted(2, 'a', 3)]);
  broken.clear();
  const ending = new AbortController();
  const frozen = service.events.noting(({ n }) => {
    if (n === 3) throw Object.assign(new TransientError('the process ends here'), { end: ending.abort() });
  });
  const [task] = await tasks();
  const lane = { topic: service.events.topic, key: 'a' };
  const attempt = { lane, taskId: task?.id ?? '', starts: 2 };
  await expect(letters.redrive([frozen]).run(attempt, ending.signal)).rejects.toThrow();
  expect(await service.ledger()).toEqual(['a:1', 'a:2']);
  expect(await letters.parked()).toMatchObject([{ state: 'retrying', offset: 2n, attempts: 0 }]);
  await letters.redrive([frozen]).run({ ...attempt, starts: 6 }, new AbortController().signal);
  const [given] = await letters.parked();
  expect(given).toMatchObject({ state: 'dead', offset: 2n, waiting: 0 });
  expect(given?.error?.message).toContain('begun 5 times');
});
