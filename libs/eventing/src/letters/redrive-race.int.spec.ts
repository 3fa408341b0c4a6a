import type { LogRecord } from '@aura/event-log';
import { seeded, settled } from '@aura/testing';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { byKey, consumerFixture, ledgerService, type ConsumerFixture } from '../../test/consumer-fixture.js';
import { at, HandDrivenLog } from '../../test/hand-driven-log.js';
import { letterFixture, type LetterFixture } from '../../test/letter-fixture.js';
import type { ServiceFixture } from '../../test/service-fixture.js';
import type { Delivery } from '../consumer/delivery.js';
import { Handlers, type EventHandler } from '../consumer/handlers.js';
import { readRecord } from '../consumer/reading.js';
import { runUnit } from '../consumer/unit.js';

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
});

/** One unit of these deliveries, without the log. */
const unit = (deliveries: readonly Delivery[], handlers: EventHandler[]) =>
  runUnit(
    { group: service.events.group, handlers: new Handlers(handlers), units: service.units },
    deliveries,
    [],
  );

async function delivered(record: LogRecord, refusal?: Error): Promise<Delivery> {
  const { contracts, registry, counted } = service.events;
  const handlers = new Handlers([{ ...service.events.noting(), type: counted }]);
  const delivery = await readRecord({ contracts, registry, handlers }, record, new Date());
  return refusal ? { record, id: delivery.id, refusal } : delivery;
}

const event = (offset: number, key: string, n: number): LogRecord =>
  at(0, offset, service.events.record({ key, n }));

const waitingLocks = () =>
  settled('somebody waits for a lock', async () => {
    const rows = await service.rows(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  });

it('H3: redrives race with arrivals of their keys: order stays, no letter is left behind', async () => {
  const random = seeded('redrive-race');
  const units = 250;
  const keys = ['a', 'b', 'c', 'd'];
  const next: Record<string, number> = { a: 1, b: 1, c: 1, d: 1 };
  const slowly = service.events.noting(async (_, work) => {
    if (random.chance(0.1)) await work.manager.query('select pg_sleep(0.002)');
  });
  let offset = 0;
  let parked = 0;
  let arriving = true;
  const redriving = async (): Promise<void> => {
    const redrive = letters.redrive([slowly]);
    for (;;) {
      // Any of them, at any time: an owner that has lost its lease is one more.
      const marks = await service.rows<{ topic: string; key: string; task_id: string | null }>(
        'select topic, key, task_id from aura.parked_key order by random() limit 1',
      );
      const [mark] = marks;
      if (!mark && !arriving) return;
      if (!mark) continue;
      if (mark.task_id === null) throw new Error(`key ${mark.key} waits, and nobody will try it`);
      const attempt = { lane: mark, taskId: mark.task_id, starts: 1 };
      await redrive.run(attempt, new AbortController().signal);
    }
  };
  const redrivers = [redriving(), redriving()];
  for (let i = 0; i < units; i++) {
    const deliveries: Delivery[] = [];
    for (let of = 1 + random.int(6); of > 0; of--) {
      const key = random.pick(keys);
      const n = next[key] ?? 0;
      next[key] = n + 1;
      const fails = random.chance(1 / 12);
      if (fails) parked++;
      deliveries.push(await delivered(event(offset++, key, n), fails ? new Error('once') : undefined));
    }
    await unit(deliveries, [slowly]);
  }
  arriving = false;
  await Promise.all(redrivers);

  const applied = byKey(await service.ledger());
  const inversions = Object.values(applied).flatMap((ns) => ns.filter((n, i) => n !== i + 1)).length;
  const orphans = (await service.rows('select from aura.letter')).length;
  console.log(`${offset} events, ${parked} failed once: ${inversions} inversions, ${orphans} orphans`);
  expect({ inversions, orphans }).toEqual({ inversions: 0, orphans: 0 });
  expect(Object.values(applied).flat()).toHaveLength(offset);
  expect(letters.counted.ends['redriven']).toBeGreaterThan(parked / 2);
  expect(await service.rows('select letters from aura.letter_count')).toEqual([{ letters: '0' }]);
}, 60_000);

it('H13: a unit that waited for a former owner sees what that one parked, and queues behind it', async () => {
  const gate = Promise.withResolvers<void>();
  const slow = service.events.noting(({ key }) => (key === 'z' ? gate.promise : undefined));
  const third = event(3, 'a', 3);
  const former = unit(
    [await delivered(third, new Error('for now')), await delivered(event(1, 'z', 1))],
    [slow],
  );
  await settled('the former owner has parked, and is not done', async () => {
    const rows = await service.rows(
      `select 1 from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`,
    );
    return rows.length > 0;
  });
  const owner = unit([await delivered(third), await delivered(event(4, 'a', 4))], [service.events.noting()]);
  await waitingLocks();
  gate.resolve();
  await former;
  expect(await owner).toEqual({ applied: 0, duplicates: 1, parked: 1 });
  expect(await service.ledger()).toEqual(['z:1']);
  await letters.redriven([service.events.noting()]);
  expect(await service.ledger()).toEqual(['z:1', 'a:3', 'a:4']);
});

it('L3: a unit that waited for a key’s last redrive finds it free', async () => {
  await unit([await delivered(event(1, 'a', 1), new Error('for now'))], [service.events.noting()]);
  const gate = Promise.withResolvers<void>();
  const inHandler = Promise.withResolvers<void>();
  const slow = service.events.noting(() => (inHandler.resolve(), gate.promise));
  const redriven = letters.redriven([slow]);
  await inHandler.promise;
  const arriving = unit([await delivered(event(2, 'a', 2))], [service.events.noting()]);
  await waitingLocks();
  gate.resolve();
  expect(await arriving).toEqual({ applied: 1, duplicates: 0, parked: 0 });
  await redriven;
  expect(await service.ledger()).toEqual(['a:1', 'a:2']);
});
