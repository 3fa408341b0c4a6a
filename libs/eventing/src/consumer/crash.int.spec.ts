import { TransientError } from '@aura/platform';
import { settled } from '@aura/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { byKey, consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import { MortalDatabase, type Death } from '../../test/mortal-database.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import { listParked } from '../letters/letter-list.js';
import type { EventHandler } from './handlers.js';

let base: ServiceFixture;
let service: ConsumerFixture;
let mortal: MortalDatabase;
beforeAll(async () => {
  base = await ledgerService();
  mortal = new MortalDatabase(base.database.url);
  await mortal.open();
});
afterAll(async () => {
  await mortal.dataSource.destroy();
  await base.close();
});
beforeEach(async () => {
  service = await consumerFixture(base);
});
afterEach(async () => {
  mortal.revive();
  await service.stop();
});

const newLog = (): HandDrivenLog =>
  new HandDrivenLog([0, 1].map((partition) => ({ partition, first: 0n, end: 0n })));

/** Notes and raises; b:2 fails, always. */
function handlers(): EventHandler[] {
  return [
    service.events.noting(({ key, n }, work) => {
      if (key === 'b' && n === 2) throw new Error('poison');
      work.raise(service.events.closed.of({ key: `${key}-${n}` }));
    }),
  ];
}

function causes() {
  const { events } = service;
  return [
    at(0, 0, events.record({ key: 'a', n: 1 })),
    at(0, 1, events.record({ key: 'b', n: 1 })),
    at(0, 2, events.record({ key: 'b', n: 2 })),
    at(1, 0, events.record({ key: 'c', n: 1 })),
    at(1, 1, events.record({ key: 'c', n: 2 })),
    at(0, 3, events.record({ key: 'b', n: 3 })),
  ].toSorted((x, y) => x.partition - y.partition);
}

/** One process from its first statement to its end, or its death. */
async function life(records: ReturnType<typeof causes>, units = service.units, signal?: AbortSignal) {
  const log = newLog();
  const consumer = service.consumer(log.port, handlers(), { units });
  try {
    await consumer.start();
    const starts = await log.assign(service.events.topic, 0, 1);
    await log.deliverAll(
      records.filter(({ partition, offset }) => offset >= (starts.get(partition) ?? 0n)),
      signal,
    );
  } finally {
    await consumer.stop();
  }
}

async function dyingLife(
  records: ReturnType<typeof causes>,
  statementNo: number,
  death: Death,
): Promise<boolean> {
  const dying = new AbortController();
  mortal.dieAt(statementNo, death, () => dying.abort());
  const units = { ...service.units, dataSource: mortal.dataSource };
  await life(records, units, dying.signal).catch((error: unknown) => {
    if (!mortal.dead) throw error; // its own death is the only thing that may go wrong
  });
  const died = mortal.dead;
  mortal.revive();
  return died;
}

it.each<Death>(['before', 'after'])(
  'E8: a process dies at any one statement (%s it is done): effects equal causes, published and parked once',
  async (death) => {
    const records = causes();
    let statements = 0;
    while (await dyingLife(records, ++statements, death)) {
      await life(records);
      expect(byKey(await service.ledger())).toEqual({ a: [1], b: [1], c: [1, 2] });
      const outbox = await service.rows<{ key: string }>('select key from aura.outbox order by key');
      expect(outbox.map(({ key }) => key)).toEqual(['a-1', 'b-1', 'c-1', 'c-2']);
      const letters = await listParked(service.pool, service.events.group);
      expect(letters).toMatchObject([{ key: 'b', error: { message: 'poison' }, waiting: 1 }]);
      expect(await service.offsets()).toEqual({ 0: 4, 1: 2 });
      await service.empty();
    }
    console.log(`died ${death} each of ${statements - 1} statements`);
    expect(statements).toBeGreaterThan(20);
  },
  180_000,
);

it('E3: a zombie’s unit fails whole once another has its partition; that one does it', async () => {
  const inHandler = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const zombieLog = newLog();
  const frozen = service.events.noting(async ({ n }) => {
    if (n !== 2) return;
    inHandler.resolve();
    await gate.promise;
  });
  const zombie = service.consumer(zombieLog.port, [frozen]);
  await zombie.start();
  await zombieLog.assign(service.events.topic, 0, 1);
  const { events } = service;
  const records = [1, 2, 3].map((n) => at(0, n - 1, events.record({ key: 'a', n })));
  const last = zombieLog.deliver(records);
  await inHandler.promise;

  const log = newLog();
  await service.consumer(log.port, [events.noting()]).start();
  expect((await log.assign(events.topic, 0)).get(0)).toBe(0n);
  gate.resolve();
  expect(await last).toEqual([]);
  expect(await service.ledger()).toEqual([]);
  expect(zombie.status().stalledPartitions).toMatchObject([{ partition: 0 }]);
  expect(zombie.status().stalledPartitions[0]?.error.message).toContain('another member owns');

  await log.deliverAll(records);
  expect(await service.ledger()).toEqual(['a:1', 'a:2', 'a:3']);
  expect(await zombieLog.deliver([at(0, 3, events.record({ key: 'a', n: 4 }))])).toEqual([]);
  expect(zombieLog.paused).toEqual(['0']);
  expect(await service.ledger()).toHaveLength(3);
  // What it still owns goes on.
  await zombieLog.deliver([at(1, 0, events.record({ key: 'z', n: 1 }))]);
  expect(await service.ledger()).toContain('z:1');
});

it('E5: while the database is away nothing is parked and nothing lost; then all goes on', async () => {
  const log = newLog();
  const units = { ...service.units, dataSource: mortal.dataSource };
  const consumer = service.consumer(log.port, [service.events.noting()], { units });
  await consumer.start();
  await log.assign(service.events.topic, 0, 1);
  mortal.goAway();
  const before = mortal.refused;
  const delivered = log.deliver([at(0, 0, service.events.record({ key: 'a', n: 1 }))]);
  await settled('it has tried for longer than quick retries last', () => mortal.refused >= before + 20);
  expect(consumer.status().lastError).toBeInstanceOf(TransientError);
  mortal.revive();
  await delivered;
  expect(await service.ledger()).toEqual(['a:1']);
  expect(await listParked(service.pool, service.events.group)).toEqual([]);
  expect(consumer.status().lastError).toBeUndefined();
});

it('E5: a handler whose connection is killed under it is not to blame: the unit runs again', async () => {
  let kills = 1;
  const killed = service.events.noting(async (_, work) => {
    if (kills-- > 0)
      await work.manager.query('select pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
  });
  const log = newLog();
  await service.consumer(log.port, [killed]).start();
  await log.assign(service.events.topic, 0, 1);
  await log.deliver([at(0, 0, service.events.record({ key: 'a', n: 1 }))]);
  expect(await service.ledger()).toEqual(['a:1']);
  expect(await listParked(service.pool, service.events.group)).toEqual([]);
});

it('E3: a takeover that commits while a zombie waits to save its position still wins', async () => {
  const log = newLog();
  const { events } = service;
  const zombie = service.consumer(log.port, [events.noting()]);
  await zombie.start();
  await log.assign(events.topic, 0, 1);
  const taker = await service.pool.connect();
  try {
    await taker.query('begin; update aura.consumer_offset set epoch = epoch + 1 where partition = 1');
    const last = log.deliver([
      at(0, 0, events.record({ key: 'a', n: 1 })),
      at(1, 0, events.record({ key: 'z', n: 1 })),
    ]);
    await settled('the zombie waits for the row', async () => {
      const waiting = await service.rows(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    });
    await taker.query('commit');
    expect(await last).toEqual([]);
  } finally {
    taker.release();
  }
  expect(await service.ledger()).toEqual([]);
  expect(zombie.status().stalledPartitions).toMatchObject([{ partition: 1 }]);
  await log.deliver([at(0, 0, events.record({ key: 'a', n: 1 }))]);
  expect(await service.ledger()).toEqual(['a:1']);
});

it('E3: a zombie’s late assignment does not stop the rightful owner: it takes it again', async () => {
  const [log, zombieLog] = [newLog(), newLog()];
  const { events } = service;
  const [rightful, zombie] = [log, zombieLog].map((l) => service.consumer(l.port, [events.noting()]));
  await rightful?.start();
  await zombie?.start();
  await log.assign(events.topic, 0, 1);
  log.held = [0, 1].map((partition) => ({ topic: events.topic, partition }));
  await log.deliver([at(0, 0, events.record({ key: 'a', n: 1 }))]);
  // It was frozen in the middle of its assignment: it raises the epoch, and hears that it was expelled.
  await zombieLog.assign(events.topic, 0);
  await zombieLog.options.onRevoked([{ topic: events.topic, partition: 0 }], false);

  const second = at(0, 1, events.record({ key: 'a', n: 2 }));
  expect(await log.deliver([second])).toEqual([]);
  await settled('it goes on where the database stands', () => log.moved.length >= 2);
  expect(log.moved).toEqual(['seek 0 to 1', 'resume 0']);
  expect(rightful?.status().stalledPartitions).toEqual([]);
  await log.deliver([second]);
  expect(await service.ledger()).toEqual(['a:1', 'a:2']);
  expect(await service.offsets()).toMatchObject({ 0: 2 });
});

it('E3: positions of skipped records that a late assignment refuses are no end either', async () => {
  const log = newLog();
  const { events } = service;
  const limits = { initialBackoffMs: 5, maxBackoffMs: 50, saveSkippedMs: 20 };
  await service.consumer(log.port, [events.noting()], { limits }).start();
  await log.assign(events.topic, 0);
  log.held = [{ topic: events.topic, partition: 0 }];
  await service.pool.query('update aura.consumer_offset set epoch = epoch + 1');
  await log.deliver([at(0, 0, events.record({ key: 'a' }))]);
  await settled('it is taken again', () => log.moved.length >= 2);
  expect(log.moved).toEqual(['seek 0 to 0', 'resume 0']);
  await log.deliver([at(0, 0, events.record({ key: 'a' }))]);
  await settled('its position is saved', async () => (await service.offsets())[0] === 1);
});

it('E3: what was skipped before a new assignment is not saved under its epoch', async () => {
  const inHandler = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const slow = service.events.noting(() => {
    inHandler.resolve();
    return gate.promise;
  });
  const { events } = service;
  const log = newLog();
  const limits = { initialBackoffMs: 5, maxBackoffMs: 50, saveSkippedMs: 20 };
  await service.consumer(log.port, [slow], { limits }).start();
  await log.assign(events.topic, 0, 1);
  const last = log.deliver([
    at(0, 0, events.record({ key: 'a' })),
    at(0, 1, events.record({ key: 'a' })),
    at(1, 0, events.record({ key: 'z', n: 1 })),
  ]);
  await inHandler.promise;
  await log.assign(events.topic, 0);
  gate.resolve();
  await last;
  // One that is skipped under the new epoch shows that positions are being saved.
  await log.deliver([at(0, 0, events.record({ key: 'a' }))]);
  await settled('a position is saved', async () => ((await service.offsets())[0] ?? 0) > 0);
  expect(await service.offsets()).toMatchObject({ 0: 1 });
});

it('H46: a member joins anew in the middle of its unit: it fails whole, and is done once', async () => {
  const log = newLog();
  const { events } = service;
  const inHandler = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  const slow = events.noting(() => {
    if (++calls > 1) return undefined;
    inHandler.resolve();
    return gate.promise;
  });
  const consumer = service.consumer(log.port, [slow]);
  await consumer.start();
  const held = [0, 1].map((partition) => ({ topic: events.topic, partition }));
  await log.assign(events.topic, 0, 1);
  const [a, z] = [events.record({ key: 'a', n: 1 }), events.record({ key: 'z', n: 1 })];
  const records = [at(0, 0, a), at(1, 0, z)];
  const last = log.deliver(records);
  await inHandler.promise;
  // The log takes everything back and assigns it again, while the unit is still under way.
  await log.options.onRevoked(held, false);
  expect([...(await log.assign(events.topic, 0, 1)).values()]).toEqual([0n, 0n]);
  const again = log.deliverAll(records);
  gate.resolve();
  expect(await last).toEqual([]);
  await again;
  expect((await service.ledger()).toSorted()).toEqual(['a:1', 'z:1']);
  expect(await service.offsets()).toEqual({ 0: 1, 1: 1 });
  expect(consumer.status().stalledPartitions).toEqual([]);
});

it.each([
  ['that its log counts out', { alive: false }],
  ['whose log gave it to another', { held: [] }],
])('E3: a member %s leaves a lost partition alone', async (_, zombie) => {
  const log = newLog();
  const { events } = service;
  await service.consumer(log.port, [events.noting()]).start();
  await log.assign(events.topic, 0);
  const held = [{ topic: events.topic, partition: 0 }];
  Object.assign(log, { held }, zombie);
  await service.pool.query('update aura.consumer_offset set epoch = epoch + 1');
  await log.deliver([at(0, 0, events.record({ key: 'a', n: 1 }))]);
  const before = log.asked;
  await settled('it has looked at it again and again', () => log.asked >= before + 3);
  expect(await service.rows('select epoch from aura.consumer_offset where partition = 0')).toEqual([
    { epoch: '2' },
  ]);
  // It is the log's word alone that kept it away.
  Object.assign(log, { held, alive: true });
  await settled('it is taken again', () => log.moved.length >= 2);
});

it('E3: a partition that is revoked while it is being taken again is left alone', async () => {
  const log = newLog();
  const { events } = service;
  const consumer = service.consumer(log.port, [events.noting()]);
  await consumer.start();
  await log.assign(events.topic, 0);
  log.held = [{ topic: events.topic, partition: 0 }];
  const other = await service.pool.connect();
  try {
    await service.pool.query('update aura.consumer_offset set epoch = epoch + 1');
    log.alive = false;
    await log.deliver([at(0, 0, events.record({ key: 'a', n: 1 }))]);
    await other.query('begin; select 1 from aura.consumer_offset for update');
    log.alive = true;
    await settled('it waits for the row', async () => {
      const waiting = await service.rows(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    });
    // The log's answer to `assigned` may be older than its word: what was revoked stays so.
    await log.options.onRevoked(log.held, false);
    await other.query('commit');
  } finally {
    other.release();
  }
  await consumer.stop();
  expect(log.moved).toEqual([]);
  expect(consumer.status().assigned).toEqual([]);
});
